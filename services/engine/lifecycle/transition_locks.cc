#include "engine/lifecycle/transition_locks.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/os/directory.h"
#include "common/os/file_lock.h"

namespace flotilla::engine {
namespace {

using SteadyClock = std::chrono::steady_clock;

Error busy(const std::string& id, const std::string& holder) {
  return Error{ErrorKind::Unavailable, "container " + id + " is busy: " + holder};
}

std::string holderOf(int fd) {
  std::array<char, 256> text{};
  const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
  return got > 0 ? std::string(text.data(), static_cast<std::size_t>(got))
                 : "held by another worker";
}

}  // namespace

TransitionLocks::Guard& TransitionLocks::Guard::operator=(Guard&& other) noexcept {
  if (this != &other) {
    unlock();
    owner_ = std::exchange(other.owner_, nullptr);
    id_ = std::move(other.id_);
    file_ = std::move(other.file_);
  }
  return *this;
}

void TransitionLocks::Guard::unlock() {
  file_.reset();
  if (auto* owner = std::exchange(owner_, nullptr)) {
    owner->release(id_);
  }
}

Result<TransitionLocks::Guard> TransitionLocks::take(const std::string& id,
                                                     const std::string& doing,
                                                     std::chrono::milliseconds timeout) {
  const auto deadline = SteadyClock::now() + timeout;
  {
    std::unique_lock lock(mutex_);
    if (!released_.wait_until(lock, deadline, [&] { return !held_.contains(id); })) {
      return busy(id, "another operation of this worker holds it");
    }
    held_.insert(id);
  }
  auto file = lockFile(id, doing, deadline);
  if (!file) {
    release(id);
    return std::move(file).error();
  }
  return Guard(*this, id, std::move(*file));
}

Result<UniqueFd> TransitionLocks::lockFile(const std::string& id, const std::string& doing,
                                           SteadyClock::time_point deadline) const {
  const std::string path = directory_ + "/" + id + ".lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) {
    return sysError("open " + path, errno);
  }
  auto locked = flotilla::lockFile(file.get(), LOCK_EX, deadline);
  if (!locked && locked.error().kind() == ErrorKind::Unavailable) {
    return busy(id, holderOf(file.get()));
  }
  FLO_TRY(std::move(locked));
  const std::string text = "pid " + std::to_string(::getpid()) + ", " + doing + "\n";
  // The text only helps whoever reads the lock file; the lock stands without it.
  if (::ftruncate(file.get(), 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(file.get(), text.data(), text.size(), 0);
  }
  return file;
}

void TransitionLocks::release(const std::string& id) {
  const std::lock_guard lock(mutex_);
  held_.erase(id);
  released_.notify_all();
}

void TransitionLocks::sweep() {
  const auto names = entryNames(directory_);
  if (!names) {
    return;  // locks that nobody holds do no harm
  }
  for (const std::string& name : *names) {
    const std::string path = directory_ + "/" + name;
    const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0) {
      ::unlink(path.c_str());
    }
  }
}

}  // namespace flotilla::engine
