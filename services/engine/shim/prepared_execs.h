#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/shim/children.h"
#include "engine/shim/event_loop.h"
#include "engine/shim/process_io.h"
#include "engine/shim/runtime.h"
#include "engine/shim/sockets.h"

namespace flotilla::engine::shim {

/// A runtime that is loaded and waits to be told its process, and the streams it was given.
struct PreparedExec {
  std::string exec_id;
  std::string name;  // in Runtime
  bool tty = false;
  bool open_stdin = false;
  std::shared_ptr<ProcessIo> io;  // held once
  std::unique_ptr<ConsoleSocket> console;
  pid_t pid = 0;                   // the runtime's; 0 once it has ended
  std::function<void(int)> ended;  // set by who takes it
  EventLoop::Id timer = 0;
};

/// Execs that were created and may start soon: while the client asks for that, the runtime does
/// what does not depend on the process (half of its time). One that is not started in time is
/// ended; starting it later is as if it had never been prepared.
class PreparedExecs {
 public:
  static constexpr std::chrono::milliseconds kKeptFor{2000};
  static constexpr std::size_t kMost = 8;

  /// All outlive this.
  PreparedExecs(EventLoop& loop, Children& children, Runtime& runtime)
      : loop_(loop), children_(children), runtime_(runtime) {}

  /// Best effort: what fails here fails again, with words, at the start.
  void prepare(const std::string& exec_id, const std::string& name, bool tty, bool open_stdin);
  /// Hands it over, for `exec_id` with just these streams; null when there is none. What was
  /// prepared otherwise is ended.
  std::shared_ptr<PreparedExec> take(const std::string& exec_id, bool tty, bool open_stdin);
  /// Ends one that was taken and is not wanted after all.
  void dismiss(const std::shared_ptr<PreparedExec>& prepared);
  /// The process IDs of those that wait: no processes of the container.
  [[nodiscard]] std::vector<int> pids() const;

 private:
  using Ptr = std::shared_ptr<PreparedExec>;

  bool launch(const Ptr& prepared);
  void runtimeEnded(const Ptr& prepared, int status);

  EventLoop& loop_;
  Children& children_;
  Runtime& runtime_;
  std::map<std::string, Ptr> waiting_;  // by exec id
};

}  // namespace flotilla::engine::shim
