#pragma once

#include <string>

#include "common/error/result.h"

namespace flotilla::engine {

/// What tells this host and its state folder from a copy of them: machine, boot, and the folder's
/// place in the file system (decisions.md 23). Errors: sysError when the folder cannot be read.
Result<std::string> hostIdentity(const std::string& data_root);

/// The engine's ID in `data_root`: the one there, else `wanted`, else a new one. Errors:
/// InvalidArgument when `wanted` is set and differs from the one there.
Result<std::string> settleEngineId(const std::string& data_root, const std::string& wanted);

}  // namespace flotilla::engine
