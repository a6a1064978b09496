// flotilla-engine: the containers of one host, done by jobs from a queue. One worker, or several
// under a supervisor; any number of them may share a host.

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <system_error>
#include <string>
#include <utility>
#include <vector>

#include "engine/worker/supervisor.h"
#include "engine/worker/worker_options.h"
#include "engine/worker/worker_process.h"

namespace flotilla::engine {
namespace {

constexpr int kReadyFd = 3;

/// An idle worker is to be small: few arenas, and freed memory goes back.
void limitMemory() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_TRIM_THRESHOLD, 128 * 1024);
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

/// Every stream is a descriptor.
void raiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

std::vector<std::string> commandLine(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed) {
    arguments[0] = program;
  }
  return arguments;
}

Result<void> run(const WorkerOptions& options, const std::vector<std::string>& arguments) {
  FLO_TRY(config::initLog(options.log));
  if (options.slot < 0 && options.workers > 1) {
    return supervise(options, arguments);
  }
  if (options.slot >= 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // nobody would start it again, or end it
  }
  raiseDescriptorLimit();
  return runWorker(options, options.slot >= 0 ? kReadyFd : -1);
}

int mainOf(int argc, const char* const* argv) {
  limitMemory();
  const auto options = parseWorkerOptions(argc, argv, std::cout);
  if (options && !*options) {
    return 0;
  }
  const auto done = options ? run(**options, commandLine(argc, argv)) : Result<void>{options.error()};
  if (done) {
    return 0;
  }
  std::cerr << "flotilla-engine: " << done.error().message() << '\n';
  const bool hopeless = done.error().kind() == ErrorKind::InvalidArgument || done.error().kind() == ErrorKind::Conflict;
  return hopeless ? kHopeless : 1;
}

}  // namespace
}  // namespace flotilla::engine

int main(int argc, char** argv) { return flotilla::engine::mainOf(argc, argv); }
