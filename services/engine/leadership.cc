#include "engine/leadership.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "common/os/file_lock.h"

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
  auto locked = lockFile(file.get(), LOCK_EX, std::chrono::steady_clock::now() + kTurnLimit);
  if (!locked && locked.error().kind() == ErrorKind::Unavailable) {
    return Error{ErrorKind::Unavailable,
                 "another worker of this host is still starting (" + path + ")"};
  }
  FLO_TRY(std::move(locked));
  return file;
}

}  // namespace flotilla::engine
