#include "engine/leadership.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kTurnLimit{60};

}  // namespace

bool Leadership::seek() {
  if (lock_) {
    return true;
  }
  UniqueFd file(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
    lock_ = std::move(file);
  }
  return lock_.valid();
}

Result<UniqueFd> takeStartTurn(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) {
    return sysError("open " + path, errno);
  }
  const auto deadline = std::chrono::steady_clock::now() + kTurnLimit;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{ErrorKind::Unavailable,
                   "another worker of this host is still starting (" + path + ")"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return file;
}

}  // namespace flotilla::engine
