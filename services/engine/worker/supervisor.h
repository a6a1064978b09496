#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/worker/worker_options.h"

namespace flotilla::engine {

/// What a worker's exit code tells its supervisor: starting it again cannot help.
inline constexpr int kHopeless = 78;

/// Runs options.workers workers, each `arguments` (the command line of this process) with a slot
/// number, and starts one again that ends, with back-off. SIGTERM drains all of them. Returns when
/// all have ended. Errors: Internal when a worker said that it is hopeless.
Result<void> supervise(const WorkerOptions& options, const std::vector<std::string>& arguments);

}  // namespace flotilla::engine
