#pragma once

#include <prometheus/gauge.h>

#include <chrono>
#include <string>

#include "api-gateway/cluster/engine_client.h"
#include "api-gateway/streams/cut_streams.h"
#include "common/event/reactor.h"
#include "common/http/exchange.h"
#include "common/job/job.h"
#include "common/net/tls_context.h"
#include "common/stream/relay.h"

namespace flotilla::gateway {

/// What a request needs to become a job; lives as long as the gateway.
struct Dispatch {
  Reactor& reactor;  // the one that owns the connections
  EngineClient& cluster;
  prometheus::Gauge& jobs_in_flight;
  net::TlsContextPtr stream_tls = nullptr;  // how streams of other hosts are reached
  CutStreams cut_streams = {};
  RelayGroup hijacked = {};  // connections that are no server's any more
  // How long a response waits for its job's result after the end of its stream. The result leaves
  // the engine with that end, but it may have to wait for a queue that is away.
  std::chrono::milliseconds result_patience = std::chrono::seconds(30);
};

/// Sends `job` for `exchange` and cancels it when the client leaves. Callbacks as JobQueue's: on
/// any thread, `callbacks.on_result` exactly once, also when no engine can be found. Returns the
/// job's id.
std::string submitFor(Dispatch& dispatch, http::Exchange& exchange, Job job,
                      JobQueue::Callbacks callbacks);

}  // namespace flotilla::gateway
