#pragma once

#include <chrono>
#include <functional>

#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/net/stream.h"
#include "common/net/tls_context.h"

namespace flotilla {

struct StreamDial {
  std::chrono::milliseconds timeout;  // until the ticket is sent
  net::TlsContextPtr tls = nullptr;   // client context, for endpoints of other hosts
};

/// Connects to a job's stream endpoint and presents its ticket. `done` runs on the reactor's
/// thread. Errors: Unavailable (cannot connect, handshake refused), DeadlineExceeded,
/// InvalidArgument (an address of no known form, or of another host without `dial.tls`).
void connectStream(Reactor& reactor, const StreamEndpoint& endpoint, const StreamDial& dial,
                   std::function<void(Result<net::StreamPtr>)> done);

}  // namespace flotilla
