#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla {

/// The whole of a file. Errors: sysError (Internal, sysErrno() tells ENOENT); Internal when it is
/// larger than `limit`.
Result<std::string> readFile(const std::string& path, std::size_t limit = 16U << 20U);

/// Whether the new content must survive power loss before the call returns.
enum class Durability { Synced, Cached };

/// Replaces `path` so that readers, and a crash, see the old content or the new, never a part:
/// temporary file beside it, write, fsync, rename, fsync of the folder (the fsyncs for Synced
/// only). Two writers at once are safe; the last rename wins.
Result<void> writeFileAtomically(const std::string& path, std::string_view content,
                                 mode_t mode = 0644, Durability durability = Durability::Synced);

}  // namespace flotilla
