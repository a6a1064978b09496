#include "common/os/peer_access.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace flotilla {
namespace {

bool isMember(int socket, gid_t group) {
  std::array<gid_t, 1024> groups{};  // of a user with more the kernel tells none (ERANGE)
  socklen_t size = sizeof groups;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    return false;
  }
  const auto* end = groups.begin() + size / sizeof(gid_t);
  return std::find(groups.cbegin(), end, group) != end;
}

}  // namespace

bool peerHasAccess(int socket, gid_t group) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return false;
  }
  if (peer.uid == 0 || peer.uid == ::geteuid()) {
    return true;
  }
  return group != 0 && (peer.gid == group || isMember(socket, group));
}

gid_t groupOf(const char* path) {
  struct stat status {};
  return ::stat(path, &status) == 0 ? status.st_gid : 0;
}

}  // namespace flotilla
