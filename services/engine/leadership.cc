#include "engine/leadership.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/os/file_lock.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kTurnLimit{60};
constexpr std::chrono::seconds kRootLimit{2};

Result<UniqueFd> openLock(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  return file ? Result<UniqueFd>(std::move(file)) : sysError("open " + path, errno);
}

}  // namespace

bool Leadership::seek() {
  if (lock_) {
    return true;
  }
  if (auto file = openLock(path_); file && ::flock(file->get(), LOCK_EX | LOCK_NB) == 0) {
    lock_ = *std::move(file);
  }
  return lock_.valid();
}

Result<UniqueFd> takeStartTurn(const std::string& path) {
  FLO_TRY_ASSIGN(UniqueFd file, openLock(path));
  auto locked = lockFile(file.get(), LOCK_EX, std::chrono::steady_clock::now() + kTurnLimit);
  if (!locked && locked.error().kind() == ErrorKind::Unavailable) {
    return Error{ErrorKind::Unavailable,
                 "another worker of this host is still starting (" + path + ")"};
  }
  FLO_TRY(std::move(locked));
  return file;
}

Result<UniqueFd> holdRoot(const Paths& paths, int lock) {
  std::error_code failed;
  if (std::filesystem::create_directories(paths.root(), failed); failed) {
    return sysError("create " + paths.root(), failed.value());
  }
  FLO_TRY_ASSIGN(UniqueFd file, openLock(paths.rootLock()));
  auto locked = lockFile(file.get(), lock, std::chrono::steady_clock::now() + kRootLimit);
  if (!locked && locked.error().kind() == ErrorKind::Unavailable) {
    return Error{ErrorKind::AlreadyExists, "another daemon works in " + paths.root() +
                                               ": stop it, or give this one its own --data-root"};
  }
  FLO_TRY(std::move(locked));
  return file;
}

}  // namespace flotilla::engine
