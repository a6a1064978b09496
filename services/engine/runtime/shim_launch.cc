#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include "engine/runtime/shim_client.h"

namespace flotilla::engine {
namespace {

Result<void> writeFile(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) {
    return sysError("open " + path, errno);
  }
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(fd.get(), text.data() + written, text.size() - written);
    if (count < 0 && errno != EINTR) {
      return sysError("write " + path, errno);
    }
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  return {};
}

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

  /// The child gets `fd` as `target`. Goes through a number above every target, so that no target
  /// overwrites a source that is still to be moved.
  Result<void> pass(int fd, int target, int floor) {
    UniqueFd high(::fcntl(fd, F_DUPFD_CLOEXEC, floor));
    if (!high) {
      return sysError("pass descriptor to shim", errno);
    }
    ::posix_spawn_file_actions_adddup2(&actions_, high.get(), target);
    held_.push_back(std::move(high));
    return {};
  }

  /// Closes this process's copies, once the child has its own.
  void closeCopies() { held_.clear(); }

 private:
  posix_spawn_file_actions_t actions_{};
  std::vector<UniqueFd> held_;
};

Result<pid_t> spawn(const std::string& shim_path, const std::string& run_dir,
                    FileActions& actions) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  ::posix_spawn_file_actions_addopen(actions.get(), 0, "/dev/null", O_RDWR, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), 0, 1);
  ::posix_spawn_file_actions_addopen(actions.get(), 2, (run_dir + "/shim.log").c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_addchdir_np(actions.get(), run_dir.c_str());
  std::string name = "flotilla-shim";
  std::string spec = "launch.json";
  std::array<char*, 3> argv{name.data(), spec.data(), nullptr};
  std::array<char*, 1> environment{nullptr};
  pid_t pid = -1;
  const int err = ::posix_spawn(&pid, shim_path.c_str(), actions.get(), &attributes, argv.data(),
                                environment.data());
  ::posix_spawnattr_destroy(&attributes);
  if (err != 0) {
    return sysError("start " + shim_path, err);
  }
  return pid;
}

/// Waits for the byte that says the sockets listen.
Result<void> waitReady(int fd, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd poll_fd{fd, POLLIN, 0};
    const int ready = left.count() > 0 ? ::poll(&poll_fd, 1, static_cast<int>(left.count())) : 0;
    if (ready == 0) {
      return Error{ErrorKind::DeadlineExceeded, "the container's shim did not start in time"};
    }
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    char byte = 0;
    if (ready > 0 && ::read(fd, &byte, 1) == 1) {
      return {};
    }
    return Error{ErrorKind::Internal, "the container's shim ended while starting"};
  }
}

std::string lastWords(const std::string& run_dir) {
  const UniqueFd fd(::open((run_dir + "/shim.log").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 512> text{};
  const off_t size = fd ? ::lseek(fd.get(), 0, SEEK_END) : 0;
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(text.size()));
  const ssize_t got = fd ? ::pread(fd.get(), text.data(), text.size(), from) : 0;
  std::string tail(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!tail.empty() && tail.back() == '\n') {
    tail.pop_back();
  }
  return tail.substr(tail.rfind('\n') == std::string::npos ? 0 : tail.rfind('\n') + 1);
}

}  // namespace

Result<void> ShimClient::launch(const std::string& shim_path, const shim::LaunchSpec& spec,
                                ShimDescriptors fds, std::chrono::milliseconds timeout) {
  FLO_TRY(writeFile(run_dir_ + "/launch.json", shim::encode(spec)));
  std::array<int, 2> ready{};
  if (::pipe2(ready.data(), O_CLOEXEC) != 0) {
    return sysError("pipe", errno);
  }
  const UniqueFd ready_read(ready[0]);
  UniqueFd ready_write(ready[1]);
  const int floor =
      shim::kFirstPassedFd + static_cast<int>(fds.bind_trees.size() + fds.port_holders.size()) + 1;
  FileActions actions;
  FLO_TRY(actions.pass(ready_write.get(), shim::kReadyFd, floor));
  FLO_TRY(actions.pass(fds.lock.get(), shim::kLockFd, floor));
  if (fds.netns) {
    FLO_TRY(actions.pass(fds.netns->get(), shim::kNetnsFd, floor));
  }
  int target = shim::kFirstPassedFd;
  for (const auto* list : {&fds.bind_trees, &fds.port_holders}) {
    for (const UniqueFd& fd : *list) {
      FLO_TRY(actions.pass(fd.get(), target++, floor));
    }
  }
  FLO_TRY_ASSIGN(const pid_t pid, spawn(shim_path, run_dir_, actions));
  ready_write.reset();
  actions.closeCopies();
  // The shim forks and its first process ends, so that it is nobody's child here: quick either way.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  auto started = waitReady(ready_read.get(), timeout);
  if (started) {
    return {};
  }
  Error error = std::move(started).error();
  if (const std::string words = lastWords(run_dir_); !words.empty()) {
    return std::move(error).context(words);
  }
  return error;
}

}  // namespace flotilla::engine
