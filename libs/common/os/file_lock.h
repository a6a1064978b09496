#pragma once

#include <chrono>
#include <string>

#include "common/error/result.h"

namespace flotilla {

/// Takes flock's lock on `fd` (`operation`: LOCK_SH or LOCK_EX) by `deadline`, at least once.
///
/// It asks again and again, with pauses that grow to 20 ms: flock has no deadline, a signal to end
/// one that waits would need a thread of its own, and what is locked this way is held for
/// milliseconds. Not fair: of those that wait, any may be next.
///
/// Errors: Unavailable when somebody else holds it all the time, sysErrno EWOULDBLOCK, for the
/// caller to say in words of its own; Internal.
Result<void> lockFile(int fd, int operation, std::chrono::steady_clock::time_point deadline);

/// Whether `path` still names the file that `fd` has open: who locks a file that others remove
/// finds out so that it holds a lock on nothing.
bool isStill(int fd, const std::string& path);

}  // namespace flotilla
