#pragma once

#include "common/error/result.h"
#include "engine/worker/worker_options.h"

namespace flotilla::engine {

/// One worker of an engine as a process: opens the shared state, serves jobs from the queue until
/// SIGTERM, then takes no more, finishes what runs and leaves the rest to other workers. Returns at
/// its end. `ready_fd` (or -1) gets a byte once jobs are served.
/// Errors: what made it impossible to serve; Conflict when another host has this engine's ID.
Result<void> runWorker(const WorkerOptions& options, int ready_fd);

}  // namespace flotilla::engine
