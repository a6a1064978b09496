#pragma once

#include "common/error/result.h"

namespace flotilla::engine {

/// Copies what is in the directory `source` into the directory `target`, and gives `target` itself
/// the source's owner, mode and times: regular files, directories, symbolic links, devices and
/// FIFOs, with owners, modes, times, extended attributes and hard links. Sockets are left out.
///
/// Nothing outside the two trees is read or written, whatever links are in them and whoever changes
/// the target meanwhile. Existing entries of the target are an error. Errors: Internal with errno.
Result<void> copyTree(int source, int target);

/// Removes everything in the directory (not the directory). Follows no link.
Result<void> clearTree(int directory);

}  // namespace flotilla::engine
