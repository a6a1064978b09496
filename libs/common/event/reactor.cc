#include "common/event/reactor.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <map>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/os/mutex.h"
#include "common/os/unique_fd.h"

namespace flotilla {
namespace {

constexpr std::size_t kKeptPosts = 1024;
constexpr std::uint64_t kWakeKey = ~std::uint64_t{0};

class EpollReactor final : public Reactor {
 public:
  EpollReactor(UniqueFd epoll, UniqueFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

  void run() override;
  void stop() override;
  void post(std::function<void()> fn) override;
  [[nodiscard]] bool inLoop() const override {
    return loop_thread_.load() == std::this_thread::get_id();
  }

  Result<void> watch(int fd, std::uint32_t events, FdCallback callback) override;
  void modify(int fd, std::uint32_t events) override;
  void unwatch(int fd) override;

  TimerId runAfter(Clock::duration delay, std::function<void()> fn) override;
  void cancelTimer(TimerId id) override;

 private:
  /// Addresses are stable: a callback runs in place while others are added and removed.
  struct Watch {
    std::uint32_t generation = 0;  // which use of this descriptor number an event belongs to
    std::uint32_t events = 0;
    bool active = false;
    FdCallback callback;
  };
  using TimerKey = std::pair<Clock::time_point, TimerId>;

  [[nodiscard]] Watch* find(int fd) {
    auto index = static_cast<std::size_t>(fd);
    return fd >= 0 && index < watches_.size() && watches_[index] && watches_[index]->active
               ? watches_[index].get()
               : nullptr;
  }
  int control(int operation, int fd, const Watch& watch);
  void wake();
  void dispatch(const epoll_event& event);
  bool runPosted();
  void runTimers();
  /// Milliseconds epoll may sleep; rounded up, so that a timer is due when it returns.
  int sleepFor();

  UniqueFd epoll_;
  UniqueFd wake_;
  std::atomic<std::thread::id> loop_thread_{};
  std::atomic<bool> stopping_ = false;

  std::vector<std::unique_ptr<Watch>> watches_;  // by descriptor number
  std::map<TimerKey, std::function<void()>> timers_;
  std::unordered_map<TimerId, Clock::time_point> timer_times_;
  TimerId next_timer_ = 1;

  Mutex mutex_;
  std::vector<std::function<void()>> posted_ FLO_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> running_posts_;  // keeps its capacity between rounds
};

void EpollReactor::run() {
  // splice(2) to a socket whose peer is gone raises SIGPIPE and has no flag against it.
  sigset_t pipe_signal;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  loop_thread_.store(std::this_thread::get_id());
  std::array<epoll_event, 128> events{};
  while (!stopping_.load()) {
    int count =
        ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), sleepFor());
    for (int i = 0; i < count; ++i) {
      dispatch(events[static_cast<std::size_t>(i)]);
    }
    runTimers();
    runPosted();
  }
  while (runPosted()) {
  }
  stopping_.store(false);
  loop_thread_.store(std::thread::id{});
}

void EpollReactor::stop() {
  stopping_.store(true);
  wake();
}

void EpollReactor::post(std::function<void()> fn) {
  bool first = false;
  {
    MutexLock lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(fn));
  }
  // The loop looks at the queue before it sleeps, so it need not wake itself; and whoever found
  // the queue empty wakes it for all that follow.
  if (first && !inLoop()) {
    wake();
  }
}

void EpollReactor::wake() {
  const std::uint64_t one = 1;
  while (::write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

Result<void> EpollReactor::watch(int fd, std::uint32_t events, FdCallback callback) {
  if (fd < 0) {
    return sysError("watch descriptor", EBADF);
  }
  if (find(fd) != nullptr) {
    return sysError("watch descriptor", EEXIST);
  }
  auto index = static_cast<std::size_t>(fd);
  if (index >= watches_.size()) {
    watches_.resize(std::max(index + 1, watches_.size() * 2));
  }
  if (!watches_[index]) {
    watches_[index] = std::make_unique<Watch>();
  }
  Watch& watch = *watches_[index];
  ++watch.generation;
  watch.events = events;
  if (control(EPOLL_CTL_ADD, fd, watch) != 0) {
    return sysError("watch descriptor", errno);
  }
  watch.active = true;
  watch.callback = std::move(callback);
  return {};
}

int EpollReactor::control(int operation, int fd, const Watch& watch) {
  epoll_event event{};
  event.events = watch.events;
  event.data.u64 = (std::uint64_t{watch.generation} << 32U) | static_cast<std::uint32_t>(fd);
  return ::epoll_ctl(epoll_.get(), operation, fd, &event);
}

void EpollReactor::modify(int fd, std::uint32_t events) {
  Watch* watch = find(fd);
  if (watch == nullptr || watch->events == events) {
    return;
  }
  watch->events = events;
  control(EPOLL_CTL_MOD, fd, *watch);
}

void EpollReactor::unwatch(int fd) {
  Watch* watch = find(fd);
  if (watch == nullptr) {
    return;
  }
  watch->active = false;
  FdCallback dying;  // ends last: a capture's destructor may come back here
  dying.swap(watch->callback);
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EpollReactor::dispatch(const epoll_event& event) {
  if (event.data.u64 == kWakeKey) {
    std::uint64_t count = 0;
    while (::read(wake_.get(), &count, sizeof count) < 0 && errno == EINTR) {
    }
    return;
  }
  Watch* watch = find(static_cast<int>(event.data.u64 & 0xffffffffU));
  if (watch == nullptr || watch->generation != static_cast<std::uint32_t>(event.data.u64 >> 32U)) {
    return;  // removed by an earlier callback of this round
  }
  std::uint32_t wanted = event.events & (watch->events | EPOLLERR | EPOLLHUP);
  if (wanted == 0) {
    return;  // interest dropped by an earlier callback of this round
  }
  // Runs from a local, so that a callback may remove its own watch; put back if it did not.
  FdCallback running;
  running.swap(watch->callback);
  std::uint32_t generation = watch->generation;
  running(wanted);
  if (watch->active && watch->generation == generation) {
    watch->callback = std::move(running);
  }
}

bool EpollReactor::runPosted() {
  {
    MutexLock lock(mutex_);
    running_posts_.swap(posted_);
  }
  bool any = !running_posts_.empty();
  for (std::function<void()>& fn : running_posts_) {
    fn();
    fn = nullptr;  // captures end here, in order, not with the batch
  }
  running_posts_.clear();
  if (running_posts_.capacity() > kKeptPosts) {
    running_posts_.shrink_to_fit();
  }
  return any;
}

Reactor::TimerId EpollReactor::runAfter(Clock::duration delay, std::function<void()> fn) {
  TimerId id = next_timer_++;
  auto due = Clock::now() + std::max(delay, Clock::duration::zero());
  timers_.emplace(TimerKey{due, id}, std::move(fn));
  timer_times_.emplace(id, due);
  return id;
}

void EpollReactor::cancelTimer(TimerId id) {
  auto it = timer_times_.find(id);
  if (it == timer_times_.end()) {
    return;
  }
  TimerKey key{it->second, id};
  timer_times_.erase(it);
  timers_.erase(key);
}

void EpollReactor::runTimers() {
  if (timers_.empty()) {
    return;
  }
  const Clock::time_point now = Clock::now();
  const TimerId newest = next_timer_;  // those that callbacks add wait for the next round
  while (!timers_.empty()) {
    auto first = timers_.begin();
    if (first->first.first > now || first->first.second >= newest) {
      break;
    }
    std::function<void()> fn = std::move(first->second);
    timer_times_.erase(first->first.second);
    timers_.erase(first);
    fn();
  }
}

int EpollReactor::sleepFor() {
  {
    MutexLock lock(mutex_);
    if (!posted_.empty()) {
      return 0;
    }
  }
  if (timers_.empty()) {
    return -1;
  }
  auto left = timers_.begin()->first.first - Clock::now();
  auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(millis, 0, 3'600'000));
}

}  // namespace

Result<std::unique_ptr<Reactor>> Reactor::create() {
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) {
    return sysError("epoll_create1", errno);
  }
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) {
    return sysError("eventfd", errno);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeKey;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
    return sysError("watch eventfd", errno);
  }
  return std::unique_ptr<Reactor>(
      std::make_unique<EpollReactor>(std::move(epoll), std::move(wake)));
}

}  // namespace flotilla
