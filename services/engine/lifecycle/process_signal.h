#pragma once

#include "common/error/result.h"
#include "engine/lifecycle/container_runtime.h"

namespace flotilla::engine {

/// Field 22 of /proc/<pid>/stat; 0 when there is no such process.
std::uint64_t processStartTime(int pid);

/// Sends a signal through a pidfd, after making sure that the pid still names the same process.
/// Errors: NotFound "no such process"; Internal.
Result<void> signalProcess(const ProcessRef& process, int signal_number);

/// This boot's id.
std::string bootId();

}  // namespace flotilla::engine
