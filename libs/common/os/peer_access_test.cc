#include "common/os/peer_access.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>

#include "common/os/unique_fd.h"

namespace flotilla {
namespace {

constexpr uid_t kNobody = 65534;
constexpr gid_t kOurs = 4321;

struct Who {
  uid_t user;
  gid_t group;
  std::optional<gid_t> also;
};

/// Has a child of that user connect to a socket without a name in the file system, and asks.
bool admitted(const Who& who, gid_t group) {
  const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socklen_t size = sizeof(sa_family_t);  // the kernel chooses an abstract name
  EXPECT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener.get(), 1), 0);
  size = sizeof address;
  EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const gid_t also = who.also.value_or(0);
    const bool changed = ::setgroups(who.also ? 1 : 0, &also) == 0 && ::setgid(who.group) == 0 &&
                         ::setuid(who.user) == 0;
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    const bool connected =
        changed && ::connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0;
    char byte = 0;
    ::_exit(connected && ::read(fd, &byte, 1) == 0 ? 0 : 1);
  }
  UniqueFd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const bool answer = peerHasAccess(peer.get(), group);
  peer.reset();
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return answer;
}

TEST(PeerAccess, AdmitsOurOwnUser) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const UniqueFd left(pair[0]);
  const UniqueFd right(pair[1]);
  EXPECT_TRUE(peerHasAccess(left.get(), 0));
}

TEST(PeerAccess, RefusesWhatIsNoUnixSocket) { EXPECT_FALSE(peerHasAccess(0, 0)); }

TEST(PeerAccess, AdmitsRootAndMembersOfTheGroupOnly) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root to become other users";
  }
  EXPECT_TRUE(admitted({0, 0, std::nullopt}, kOurs));
  EXPECT_TRUE(admitted({kNobody, kOurs, std::nullopt}, kOurs));
  EXPECT_TRUE(admitted({kNobody, kNobody, kOurs}, kOurs));
  EXPECT_FALSE(admitted({kNobody, kNobody, std::nullopt}, kOurs));
  EXPECT_FALSE(admitted({kNobody, kNobody, std::nullopt}, 0));
}

}  // namespace
}  // namespace flotilla
