#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/os/unique_fd.h"

namespace flotilla::engine::shim {

/// The shim's own small epoll loop: descriptors, timers, deferred functions. One thread. Callbacks
/// may watch, unwatch and cancel anything; a callback never runs after its watch was removed.
class EventLoop {
 public:
  using Id = std::uint64_t;

  EventLoop();

  /// Level-triggered; `events` 0 keeps the watch but reports nothing, not even hang-ups. The
  /// descriptor stays the caller's and is unwatched before it is closed.
  Id watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> callback);
  void modify(Id id, std::uint32_t events);
  void unwatch(Id id);

  Id after(std::chrono::milliseconds delay, std::function<void()> fn);
  void cancel(Id timer);

  /// Runs `fn` once the callback that is running has returned.
  void defer(std::function<void()> fn);

  void run();
  void quit() { quitting_ = true; }

 private:
  struct Watch {
    int fd;
    std::uint32_t events;
    std::function<void(std::uint32_t)> callback;
  };
  struct Timer {
    Id id;
    std::function<void()> fn;
  };
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] int waitTime() const;
  void fireTimers();
  void runDeferred();

  UniqueFd epoll_;
  Id next_id_ = 1;
  std::unordered_map<Id, std::shared_ptr<Watch>> watches_;
  std::multimap<Clock::time_point, Timer> timers_;
  std::vector<std::function<void()>> deferred_;
  bool quitting_ = false;
};

}  // namespace flotilla::engine::shim
