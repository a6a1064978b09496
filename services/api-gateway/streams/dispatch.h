#pragma once

#include <prometheus/gauge.h>

#include "api-gateway/cluster/engine_client.h"
#include "api-gateway/streams/cut_streams.h"
#include "common/event/reactor.h"
#include "common/http/exchange.h"
#include "common/job/job.h"
#include "common/net/tls_context.h"

namespace flotilla::gateway {

/// What a request needs to become a job; lives as long as the gateway.
struct Dispatch {
  Reactor& reactor;  // the one that owns the connections
  EngineClient& cluster;
  prometheus::Gauge& jobs_in_flight;
  net::TlsContextPtr stream_tls = nullptr;  // how streams of other hosts are reached
  CutStreams cut_streams = {};
};

/// Sends `job` for `exchange` and cancels it when the client leaves. Callbacks as JobQueue's: on
/// any thread, `callbacks.on_result` exactly once, also when no engine can be found.
void submitFor(Dispatch& dispatch, http::Exchange& exchange, Job job,
               JobQueue::Callbacks callbacks);

}  // namespace flotilla::gateway
