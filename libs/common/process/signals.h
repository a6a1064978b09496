#pragma once

#include <functional>
#include <memory>

#include "common/error/result.h"
#include "common/event/reactor.h"

namespace flotilla::process {

struct SignalHandlers {
  std::function<void()> terminate;  // the first INT or TERM
  std::function<void()> reload;     // HUP
};

/// Turns INT, TERM and HUP into calls on the reactor's thread, and ignores PIPE. The third INT or
/// TERM ends the process at once with 128 + signal, even when no loop runs any more. One at a time
/// in a process; while it lives the dispositions are its own, children must reset them
/// (posix_spawn's SETSIGDEF or exec do).
class Signals {
 public:
  static Result<std::unique_ptr<Signals>> create(Reactor& reactor, SignalHandlers handlers);
  virtual ~Signals() = default;
};

}  // namespace flotilla::process
