#include "common/os/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace flotilla {
namespace {

/// posix_spawn's two opaque arguments, destroyed with the scope.
class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  Result<void> mapFds(const ProcessSpec& spec) {
    int lowest_free = 3;
    for (const auto& [ours, theirs] : spec.fds) {
      lowest_free = std::max(lowest_free, theirs + 1);
    }
    for (int standard : {0, 1, 2}) {
      bool mapped = std::any_of(spec.fds.begin(), spec.fds.end(),
                                [standard](const auto& fd) { return fd.second == standard; });
      if (!mapped) {
        ::posix_spawn_file_actions_addopen(&actions_, standard, "/dev/null", O_RDWR, 0);
      }
    }
    for (const auto& [ours, theirs] : spec.fds) {
      // A copy above every target: otherwise {3 -> 4, 4 -> 3} would overwrite itself.
      UniqueFd copy(::fcntl(ours, F_DUPFD_CLOEXEC, lowest_free));
      if (!copy) {
        return sysError("duplicate descriptor", errno);
      }
      ::posix_spawn_file_actions_adddup2(&actions_, copy.get(), theirs);
      copies_.push_back(std::move(copy));
    }
    return {};
  }

  void resetSignals(ProcessSpec::Session session) {
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (session == ProcessSpec::Session::New) {
      flags |= POSIX_SPAWN_SETSID;
    }
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }

  [[nodiscard]] const posix_spawn_file_actions_t* actions() const { return &actions_; }
  [[nodiscard]] const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  std::vector<UniqueFd> copies_;
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& s : strings) {
    out.push_back(const_cast<char*>(s.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

ProcessExit decode(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) {
    return {.code = info.si_status, .signal = 0};
  }
  return {.code = 128 + info.si_status, .signal = info.si_status};
}

}  // namespace

Result<Process> Process::spawn(const ProcessSpec& spec) {
  if (spec.argv.empty()) {
    return Error(ErrorKind::InvalidArgument, "no program to run");
  }
  SpawnSetup setup;
  FLO_TRY(setup.mapFds(spec));
  setup.resetSignals(spec.session);
  std::vector<char*> argv = pointers(spec.argv);
  std::vector<char*> env = spec.env ? pointers(*spec.env) : std::vector<char*>{};
  char* const* envp = spec.env ? env.data() : environ;
  auto* start = spec.lookup == ProcessSpec::Lookup::Path ? &::posix_spawnp : &::posix_spawn;
  pid_t pid = -1;
  int err = start(&pid, argv[0], setup.actions(), setup.attributes(), argv.data(), envp);
  if (err != 0) {
    return sysError("start " + spec.argv[0], err);
  }
  // Nobody else reaps our child, so its pid cannot have been reused yet.
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    int open_errno = errno;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return sysError("pidfd_open", open_errno);
  }
  return Process(pid, std::move(pidfd));
}

Result<ProcessExit> Process::wait(std::chrono::milliseconds timeout) {
  if (exit_) {
    return *exit_;
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd poll_fd{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    int ready =
        ::poll(&poll_fd, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1 << 30)));
    if (ready > 0) {
      break;
    }
    if (ready < 0 && errno != EINTR) {
      return sysError("poll", errno);
    }
    if (ready == 0) {
      return Error(ErrorKind::DeadlineExceeded, "process " + std::to_string(pid_) + " still runs");
    }
  }
  siginfo_t info{};
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0) {
    return sysError("wait for process", errno);
  }
  exit_ = decode(info);
  return *exit_;
}

Result<void> Process::signal(int number) {
  if (exit_) {
    return {};
  }
  if (::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0) != 0 && errno != ESRCH) {
    return sysError("signal process", errno);
  }
  return {};
}

}  // namespace flotilla
