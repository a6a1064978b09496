#pragma once

#include <sys/types.h>

namespace flotilla {

/// Whether the process that connected (or was connected to) the unix socket `socket` may use what
/// is behind it: root, our own user, or a member of `group`. `group` 0 admits no other user.
bool peerHasAccess(int socket, gid_t group);

/// The group of the file at `path`, 0 when it is not there.
gid_t groupOf(const char* path);

}  // namespace flotilla
