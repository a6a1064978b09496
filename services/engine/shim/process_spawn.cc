#include "engine/shim/process_spawn.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace flotilla::engine::shim {
namespace {

/// All the child needs, made before: it may not allocate.
struct Child {
  const SpawnRequest& request;
  std::vector<char*> argv;
  std::vector<char*> environment;
  int failure;  // where it tells its errno
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (const std::string& word : words) {
    out.push_back(const_cast<char*>(word.c_str()));
  }
  out.push_back(nullptr);
  return out;
}

bool enter(const CgroupEntrance& entrance) {
  for (const UniqueFd& tasks : entrance.tasks) {
    if (::write(tasks.get(), "0", 1) != 1) {
      return false;
    }
  }
  return true;
}

/// Runs in the child. Only what is safe after a fork in a program with threads.
[[noreturn]] void become(const Child& child) {
  const SpawnRequest& request = child.request;
  if (request.entrance == nullptr || enter(*request.entrance)) {
    sigset_t none;
    ::sigemptyset(&none);
    // A child of one thread: NOLINTNEXTLINE(concurrency-mt-unsafe)
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::dup2(request.stdio.in, 0);
    ::dup2(request.stdio.out, 1);
    ::dup2(request.stdio.err, 2);
    for (const int fd : request.inherit) {
      ::fcntl(fd, F_SETFD, 0);
    }
    if (request.program >= 0) {
      ::syscall(SYS_execveat, request.program, "", child.argv.data(), child.environment.data(),
                AT_EMPTY_PATH);
    }
    ::execve(child.argv.front(), child.argv.data(), child.environment.data());
  }
  const int err = errno;
  (void)!::write(child.failure, &err, sizeof(err));
  ::_exit(127);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // which knows one stack of a thread
#else
constexpr bool kSanitized = false;
#endif

/// A fork that goes on here once the child executes or ends, and that may put the child into a
/// cgroup of v2, which no call of the C library does.
pid_t forkInto(const CgroupEntrance* entrance) {
  clone_args arguments{};
  arguments.flags = CLONE_VFORK;
  arguments.exit_signal = SIGCHLD;
  if (entrance != nullptr && entrance->unified) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<unsigned>(entrance->unified.get());
  }
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

/// The same in this program's own memory, of which nothing needs copying then. It has no signal
/// handlers, which would run in it twice.
pid_t startBeside(const Child& child) {
  alignas(16) static std::array<char, 64 * 1024> stack;
  return ::clone([](void* given) -> int { become(*static_cast<const Child*>(given)); },
                 stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD,
                 const_cast<Child*>(&child));
}

}  // namespace

Result<pid_t> spawn(const SpawnRequest& request) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return sysError("pipe", errno);
  }
  const UniqueFd failure(ends[0]);
  const UniqueFd told(ends[1]);
  const Child child{request, pointers(request.arguments), pointers(request.environment),
                    told.get()};
  const bool unified = request.entrance != nullptr && request.entrance->unified;
  const pid_t pid = unified || kSanitized ? forkInto(request.entrance) : startBeside(child);
  if (pid == 0) {
    become(child);
  }
  if (pid < 0) {
    return sysError("fork for " + request.arguments.front(), errno);
  }
  int err = 0;
  if (::read(failure.get(), &err, sizeof(err)) == static_cast<ssize_t>(sizeof(err))) {
    ::waitpid(pid, nullptr, 0);
    return sysError("start the container runtime " + request.arguments.front(), err);
  }
  return pid;
}

}  // namespace flotilla::engine::shim
