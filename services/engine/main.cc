// flotilla-engine: the containers of one host, done by jobs from a queue. One worker, or several
// under a supervisor; any number of them may share a host.

#include <sys/prctl.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "common/process/resource_limits.h"
#include "engine/worker/supervisor.h"
#include "engine/worker/worker_options.h"
#include "engine/worker/worker_process.h"

namespace flotilla::engine {
namespace {

constexpr int kReadyFd = 3;

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
  process::raiseDescriptorLimit();
  return runWorker(options, options.slot >= 0 ? kReadyFd : -1);
}

int mainOf(int argc, const char* const* argv) {
  process::limitMemory();
  const auto options = parseWorkerOptions(argc, argv, std::cout);
  if (options && !*options) {
    return 0;
  }
  const auto done =
      options ? run(**options, commandLine(argc, argv)) : Result<void>{options.error()};
  if (done) {
    return 0;
  }
  std::cerr << "flotilla-engine: " << done.error().message() << '\n';
  const bool hopeless = done.error().kind() == ErrorKind::InvalidArgument ||
                        done.error().kind() == ErrorKind::Conflict;
  return hopeless ? kHopeless : 1;
}

}  // namespace
}  // namespace flotilla::engine

int main(int argc, char** argv) { return flotilla::engine::mainOf(argc, argv); }
