// flotilla-shim: the supervisor of one container. See protocol.h for how it is started.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "engine/shim/supervisor.h"

namespace flotilla::engine::shim {
namespace {

std::string readFile(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> buffer;
  while (fd) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

/// Takes over the inherited descriptors: none of them may reach the container, and nothing else is
/// kept.
std::vector<UniqueFd> inheritDescriptors(const LaunchSpec& spec) {
  const auto passed = static_cast<unsigned>(spec.binds.size()) + spec.port_fds;
  const unsigned end = kFirstPassedFd + passed;
  ::close_range(end, ~0U, 0);
  ::close_range(kReadyFd, end, CLOSE_RANGE_CLOEXEC);
  std::vector<UniqueFd> trees;
  for (std::size_t i = 0; i < spec.binds.size(); ++i) {
    trees.emplace_back(kFirstPassedFd + static_cast<int>(i));
  }
  return trees;
}

void blockSignals() {
  // SIGCHLD is read from a signalfd. A supervisor that is asked to end (a service manager stopping
  // the engine) stays: the container needs it.
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2}) {
    ::sigaddset(&set, number);
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);  // NOLINT(concurrency-mt-unsafe): no threads yet
}

int run(const char* launch_file) {
  LaunchSpec spec;
  if (!decode(readFile(launch_file), spec)) {
    ::dprintf(2, "flotilla-shim: %s is no launch description\n", launch_file);
    return 2;
  }
  std::vector<UniqueFd> trees = inheritDescriptors(spec);
  blockSignals();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::umask(0022);
  EventLoop loop;
  auto supervisor = Supervisor::create(loop, std::move(spec));
  if (!supervisor) {
    ::dprintf(2, "flotilla-shim: %s\n", supervisor.error().message().c_str());
    return 1;
  }
  (void)!::write(kReadyFd, "r", 1);
  ::close(kReadyFd);
  (*supervisor)->prepare(std::move(trees));
  ::malloc_trim(0);
  loop.run();
  return 0;
}

}  // namespace
}  // namespace flotilla::engine::shim

int main(int argc, char** argv) {
  if (argc != 2) {
    ::dprintf(2, "usage: flotilla-shim LAUNCH_FILE (started by the engine)\n");
    return 2;
  }
  const pid_t child = ::fork();
  if (child != 0) {
    ::_exit(child > 0 ? 0 : 1);
  }
  ::setsid();
  ::mallopt(M_ARENA_MAX, 1);  // NOLINT(concurrency-mt-unsafe): no threads yet
  return flotilla::engine::shim::run(argv[1]);
}
