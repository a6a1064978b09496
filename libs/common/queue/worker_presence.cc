#include "common/queue/worker_presence.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "common/os/file_lock.h"

namespace flotilla {
namespace {

constexpr std::string_view kSuffix = ".lock";
constexpr std::chrono::milliseconds kPatience{500};

std::string lockPath(const std::string& folder, const std::string& worker) {
  return folder + "/" + worker + std::string(kSuffix);
}

/// Names become paths, and some come from Redis.
bool isPlainName(const std::string& worker) {
  return !worker.empty() && worker.size() <= 64 &&
         std::all_of(worker.begin(), worker.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_';
         });
}

std::vector<std::string> workersIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code failed;
  std::filesystem::directory_iterator entries(folder, failed);
  for (; !failed && entries != std::filesystem::directory_iterator(); entries.increment(failed)) {
    std::string name = entries->path().filename();
    if (name.ends_with(kSuffix)) {
      name.resize(name.size() - kSuffix.size());
      names.push_back(std::move(name));
    }
  }
  return names;
}

enum class Lock { Got, Busy, Gone, Failed };

/// Gone: somebody removed the file between open and flock, so this lock guards nothing.
Lock tryLock(const std::string& path, UniqueFd& fd, std::chrono::milliseconds patience = {}) {
  fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) {
    return Lock::Failed;
  }
  const auto locked = lockFile(fd.get(), LOCK_EX, std::chrono::steady_clock::now() + patience);
  if (!locked) {
    errno = locked.error().sysErrno();
    return locked.error().kind() == ErrorKind::Unavailable ? Lock::Busy : Lock::Failed;
  }
  struct stat status {};
  return ::fstat(fd.get(), &status) == 0 && status.st_nlink > 0 ? Lock::Got : Lock::Gone;
}

}  // namespace

Result<std::unique_ptr<WorkerPresence>> WorkerPresence::create(const std::string& folder,
                                                               const std::string& worker) {
  if (!isPlainName(worker)) {
    return Error{ErrorKind::InvalidArgument, "bad worker name \"" + worker + "\""};
  }
  std::error_code failed;
  if (std::filesystem::create_directories(folder, failed)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  }
  const std::string path = lockPath(folder, worker);
  for (;;) {
    UniqueFd fd;
    // Other workers look, by taking it, whether the owner of a lock lives, also of one just made.
    switch (tryLock(path, fd, kPatience)) {
      case Lock::Got: {
        const std::string pid = std::to_string(::getpid()) + "\n";
        static_cast<void>(::ftruncate(fd.get(), 0) +
                          ::write(fd.get(), pid.data(), pid.size()));  // for people
        return std::unique_ptr<WorkerPresence>(new WorkerPresence(folder, worker, std::move(fd)));
      }
      case Lock::Busy:
        return Error{ErrorKind::Conflict, "another process is worker " + worker};
      case Lock::Failed:
        return sysError("lock " + path, errno);
      case Lock::Gone:
        break;
    }
  }
}

WorkerPresence::~WorkerPresence() = default;

std::vector<std::string> WorkerPresence::others() const {
  std::vector<std::string> names = workersIn(folder_);
  std::erase(names, worker_);
  return names;
}

bool WorkerPresence::anyLives(const std::string& folder) {
  const auto names = workersIn(folder);
  return std::any_of(names.begin(), names.end(),
                     [&folder](const std::string& worker) { return lives(folder, worker); });
}

bool WorkerPresence::lives(const std::string& folder, const std::string& worker) {
  const UniqueFd fd(::open(lockPath(folder, worker).c_str(), O_RDONLY | O_CLOEXEC));
  return fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0;
}

std::optional<UniqueFd> WorkerPresence::takeOver(const std::string& worker) const {
  if (!isPlainName(worker) || worker == worker_) {
    return std::nullopt;
  }
  UniqueFd fd;
  if (tryLock(lockPath(folder_, worker), fd) != Lock::Got) {
    return std::nullopt;
  }
  return fd;
}

void WorkerPresence::bury(const std::string& worker, UniqueFd lock) const {
  ::unlink(lockPath(folder_, worker).c_str());  // under its lock, which ends here
  lock.reset();
}

}  // namespace flotilla
