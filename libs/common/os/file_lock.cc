#include "common/os/file_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace flotilla {
namespace {

constexpr std::chrono::microseconds kFirstLockPause{500};
constexpr std::chrono::microseconds kLongestLockPause{20'000};

}  // namespace

Result<void> lockFile(int fd, int operation, std::chrono::steady_clock::time_point deadline) {
  auto pause = kFirstLockPause;
  while (::flock(fd, operation | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return sysError("lock a file", errno);
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{ErrorKind::Unavailable, "somebody else holds the lock", EWOULDBLOCK};
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kLongestLockPause);
  }
  return {};
}

bool isStill(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return ::fstat(fd, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace flotilla
