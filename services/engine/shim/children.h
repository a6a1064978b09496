#pragma once

#include <sys/types.h>

#include <functional>
#include <map>

#include "engine/shim/event_loop.h"

namespace flotilla::engine::shim {

/// Reaps every child of this process: the runtime's own processes, the container's (which become
/// children when the runtime ends, this being a subreaper), and strays.
class Children {
 public:
  explicit Children(EventLoop& loop);
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  /// Runs `exited` with the wait status once `pid` has ended; also when it ended just before, as
  /// long as a runtime was under way then.
  void expect(pid_t pid, std::function<void(int status)> exited);
  /// While at least one runtime is under way, exits of unknown processes are remembered: the
  /// process may be over before its pid is known.
  void runtimeStarted() { ++runtimes_; }
  void runtimeEnded();

 private:
  void reap();

  EventLoop& loop_;
  UniqueFd signals_;
  EventLoop::Id watch_ = 0;
  int runtimes_ = 0;
  std::map<pid_t, std::function<void(int)>> expected_;
  std::map<pid_t, int> unknown_;
};

/// Exit code as Docker counts: the process's own, or 128 + the signal.
int exitCode(int status);

}  // namespace flotilla::engine::shim
