#include "common/process/signals.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include "common/log/log.h"
#include "common/os/unique_fd.h"

namespace flotilla::process {
namespace {

constexpr int kLeaveAtOnce = 3;
constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

// A signal handler reaches nothing but globals.
std::atomic<int> wake_fd{-1};
std::atomic<int> terminations{0};
std::atomic<bool> reload_wanted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

// Async-signal-safe: atomics, write, _exit.
extern "C" void onSignal(int number) {
  const int saved = errno;
  if (number == SIGHUP) {
    reload_wanted.store(true);
  } else if (terminations.fetch_add(1) + 1 >= kLeaveAtOnce) {
    ::_exit(128 + number);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd.load(), &one, sizeof(one));
  errno = saved;
}

void dispose(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(number, &action, nullptr);
}

class SignalWatch final : public Signals {
 public:
  SignalWatch(Reactor& reactor, UniqueFd fd, SignalHandlers handlers)
      : reactor_(reactor), fd_(std::move(fd)), handlers_(std::move(handlers)) {}

  ~SignalWatch() override {
    for (const int number : kSignals) {
      dispose(number, SIG_DFL);
    }
    wake_fd = -1;
    reactor_.unwatch(fd_.get());
  }
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  Result<void> start() {
    FLO_TRY(reactor_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { wake(); }));
    terminations = 0;
    reload_wanted = false;
    wake_fd = fd_.get();
    dispose(SIGPIPE, SIG_IGN);
    for (const int number : kSignals) {
      dispose(number, onSignal);
    }
    return {};
  }

 private:
  void wake() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(fd_.get(), &count, sizeof(count));
    if (reload_wanted.exchange(false)) {
      handlers_.reload();
    }
    const int asked = terminations.load();
    if (asked > 0 && !terminating_) {
      terminating_ = true;
      handlers_.terminate();
    } else if (asked > seen_) {
      log::warning("shutting down already; one more signal leaves at once");
    }
    seen_ = asked;
  }

  Reactor& reactor_;
  const UniqueFd fd_;
  const SignalHandlers handlers_;
  bool terminating_ = false;
  int seen_ = 0;
};

}  // namespace

Result<std::unique_ptr<Signals>> Signals::create(Reactor& reactor, SignalHandlers handlers) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) {
    return sysError("eventfd", errno);
  }
  auto watch = std::make_unique<SignalWatch>(reactor, std::move(fd), std::move(handlers));
  FLO_TRY(watch->start());
  return std::unique_ptr<Signals>(std::move(watch));
}

}  // namespace flotilla::process
