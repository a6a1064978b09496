#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "common/error/result.h"

namespace flotilla {

/// An epoll loop on one thread: descriptors, timers and posted functions.
///
/// `post`, `stop` and `inLoop` may be called from any thread; everything else only from the loop's
/// own thread (post a function to get there) or before run(). Callbacks run on the loop's thread,
/// one at a time, and must not block; they may watch, unwatch and cancel anything, themselves
/// included: a callback never runs after its watch or timer was removed.
class Reactor {
 public:
  using Clock = std::chrono::steady_clock;
  using TimerId = std::uint64_t;
  using FdCallback = std::function<void(std::uint32_t events)>;

  static Result<std::unique_ptr<Reactor>> create();
  virtual ~Reactor() = default;

  /// Serves until stop(). Posted functions that are pending at stop are still run.
  virtual void run() = 0;
  virtual void stop() = 0;
  virtual void post(std::function<void()> fn) = 0;
  [[nodiscard]] virtual bool inLoop() const = 0;

  /// Level-triggered. `events` are EPOLLIN, EPOLLOUT, EPOLLRDHUP...; the descriptor stays the
  /// caller's and must be unwatched before it is closed.
  virtual Result<void> watch(int fd, std::uint32_t events, FdCallback callback) = 0;
  virtual void modify(int fd, std::uint32_t events) = 0;
  virtual void unwatch(int fd) = 0;

  virtual TimerId runAfter(Clock::duration delay, std::function<void()> fn) = 0;
  /// Unknown and already fired ids are ignored.
  virtual void cancelTimer(TimerId id) = 0;
};

}  // namespace flotilla
