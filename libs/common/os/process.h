#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla {

/// How a process ended.
struct ProcessExit {
  int code = 0;    // exit status, or 128 + signal as shells count
  int signal = 0;  // 0 when it exited by itself
};

/// What to run. The child has default signal dispositions, an empty signal mask and only the
/// descriptors of `fds` (everything of ours is close-on-exec); 0, 1 and 2 are /dev/null unless
/// mapped.
struct ProcessSpec {
  enum class Lookup { Path, Literal };  // search PATH for argv[0]?
  enum class Session { Ours, New };

  std::vector<std::string> argv;                     // argv[0] is the program
  std::optional<std::vector<std::string>> env = {};  // ours when absent
  std::vector<std::pair<int, int>> fds = {};         // {ours, number in the child}
  Lookup lookup = Lookup::Literal;
  Session session = Session::Ours;
};

/// A child of this process, known by pidfd, so signals never hit a successor of its pid. Movable.
/// Not thread-safe. Destroying one that still runs leaves it running, to be reaped by nobody:
/// wait for it or kill it first.
class Process {
 public:
  /// Starts without copying this process (posix_spawn): safe with threads. Errors: sysError of the
  /// exec (ENOENT, EACCES) with the program's name.
  static Result<Process> spawn(const ProcessSpec& spec);

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Readable when the process has ended (for a Reactor).
  [[nodiscard]] int pidFd() const { return pidfd_.get(); }

  /// Errors: DeadlineExceeded while it still runs. After success the process is reaped.
  Result<ProcessExit> wait(std::chrono::milliseconds timeout);
  /// A process that has ended already is no error.
  Result<void> signal(int number);

 private:
  Process(pid_t pid, UniqueFd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<ProcessExit> exit_;
};

}  // namespace flotilla
