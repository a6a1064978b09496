#pragma once

#include <chrono>
#include <functional>

#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/net/stream.h"

namespace flotilla {

/// Connects to a job's stream endpoint and presents its ticket. `done` runs on the reactor's
/// thread. Errors: Unavailable (cannot connect), DeadlineExceeded.
void connectStream(Reactor& reactor, const StreamEndpoint& endpoint,
                   std::chrono::milliseconds timeout,
                   std::function<void(Result<net::StreamPtr>)> done);

}  // namespace flotilla
