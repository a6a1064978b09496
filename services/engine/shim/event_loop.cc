#include "engine/shim/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <utility>

namespace flotilla::engine::shim {

EventLoop::EventLoop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

EventLoop::Id EventLoop::watch(int fd, std::uint32_t events,
                               std::function<void(std::uint32_t)> callback) {
  const Id id = next_id_++;
  watches_.emplace(id, std::make_shared<Watch>(Watch{fd, 0, std::move(callback)}));
  modify(id, events);
  return id;
}

void EventLoop::modify(Id id, std::uint32_t events) {
  const auto found = watches_.find(id);
  if (found == watches_.end() || found->second->events == events) {
    return;
  }
  Watch& watch = *found->second;
  // epoll reports hang-ups even for an empty mask, so a silent watch leaves the set.
  const int op = watch.events == 0 ? EPOLL_CTL_ADD : (events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD);
  epoll_event event{};
  event.events = events;
  event.data.u64 = id;
  ::epoll_ctl(epoll_.get(), op, watch.fd, &event);
  watch.events = events;
}

void EventLoop::unwatch(Id id) {
  modify(id, 0);
  watches_.erase(id);
}

EventLoop::Id EventLoop::after(std::chrono::milliseconds delay, std::function<void()> fn) {
  const Id id = next_id_++;
  timers_.emplace(Clock::now() + delay, Timer{id, std::move(fn)});
  return id;
}

void EventLoop::cancel(Id timer) {
  const auto found = std::find_if(timers_.begin(), timers_.end(),
                                  [timer](const auto& entry) { return entry.second.id == timer; });
  if (found != timers_.end()) {
    timers_.erase(found);
  }
}

void EventLoop::defer(std::function<void()> fn) { deferred_.push_back(std::move(fn)); }

int EventLoop::waitTime() const {
  if (!deferred_.empty()) {
    return 0;
  }
  if (timers_.empty()) {
    return -1;
  }
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3600 * 1000));
}

void EventLoop::fireTimers() {
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    auto node = timers_.extract(timers_.begin());
    node.mapped().fn();
  }
}

void EventLoop::runDeferred() {
  while (!deferred_.empty()) {
    const auto batch = std::exchange(deferred_, {});
    for (const auto& fn : batch) {
      fn();
    }
  }
}

void EventLoop::run() {
  std::array<epoll_event, 32> events;
  while (!quitting_) {
    const int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), waitTime());
    for (int i = 0; i < count && !quitting_; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const auto found = watches_.find(event.data.u64);
      if (found != watches_.end() && found->second->events != 0) {
        const std::shared_ptr<Watch> keep = found->second;  // the callback may unwatch itself
        keep->callback(event.events);
        runDeferred();
      }
    }
    fireTimers();
    runDeferred();
  }
}

}  // namespace flotilla::engine::shim
