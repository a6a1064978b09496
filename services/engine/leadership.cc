#include "engine/leadership.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "common/os/atomic_file.h"
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

Result<UniqueFd> holdRoot(const Paths& paths, Holders holders) {
  std::error_code failed;
  if (std::filesystem::create_directories(paths.root(), failed); failed) {
    return sysError("create " + paths.root(), failed.value());
  }
  const std::string run = std::filesystem::weakly_canonical(paths.run(), failed);
  const Error in_use{ErrorKind::AlreadyExists, "another engine works in " + paths.root() +
                                                   ": stop it, or give this one its own "
                                                   "--data-root"};
  const auto now = std::chrono::steady_clock::now();
  FLO_TRY_ASSIGN(UniqueFd file, openLock(paths.rootLock()));
  if (holders == Holders::One) {
    return lockFile(file.get(), LOCK_EX, now + kRootLimit) ? Result<UniqueFd>(std::move(file))
                                                           : in_use;
  }
  // The worker that has it alone says which run folder the others must have.
  if (lockFile(file.get(), LOCK_EX, now) &&
      (::ftruncate(file.get(), 0) != 0 ||
       ::pwrite(file.get(), run.data(), run.size(), 0) != static_cast<ssize_t>(run.size()))) {
    return sysError("write " + paths.rootLock(), errno);
  }
  if (!lockFile(file.get(), LOCK_SH, now + kRootLimit)) {
    return in_use;
  }
  FLO_TRY_ASSIGN(const std::string theirs, readFile(paths.rootLock()));
  return theirs == run ? Result<UniqueFd>(std::move(file)) : in_use;
}

}  // namespace flotilla::engine
