#pragma once

#include <cstdint>
#include <string>

#include "common/error/result.h"

namespace flotilla::engine {

/// Removes `name` below the directory `parent_fd` with all that is in it, never following a
/// symbolic link. Bounded in stack and descriptors however deep the tree is. Absent is fine.
/// Returns the bytes of regular files and symlinks whose last link went.
/// Errors: Internal.
Result<std::uint64_t> removeTree(int parent_fd, const std::string& name);

}  // namespace flotilla::engine
