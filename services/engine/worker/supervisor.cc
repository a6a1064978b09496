#include "engine/worker/supervisor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

#include "common/log/log.h"
#include "common/os/process.h"
#include "common/process/signals.h"
#include "common/process/systemd.h"

namespace flotilla::engine {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLastPause{5'000};
constexpr std::chrono::seconds kLivedWell{
    10};  // a worker that lived so long is started again at once
constexpr std::chrono::seconds kBeyondDrain{10};
constexpr int kReadyFd = 3;

class Supervisor {
 public:
  Supervisor(const WorkerOptions& options, std::vector<std::string> arguments)
      : options_(options),
        arguments_(std::move(arguments)),
        slots_(static_cast<std::size_t>(options.workers)) {}

  Result<void> run() {
    FLO_TRY_ASSIGN(reactor_, Reactor::create());
    FLO_TRY_ASSIGN(const auto signals,
                   process::Signals::create(
                       *reactor_, {.terminate = [this] { terminate(); }, .reload = [] {}}));
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      start(slot);
    }
    reactor_->run();
    return failure_ ? Result<void>{*failure_} : Result<void>{};
  }

 private:
  struct Slot {
    std::optional<Process> worker;
    UniqueFd ready;
    std::optional<Reactor::Clock::time_point> started = {};  // the worker, the last time
    milliseconds pause = kFirstPause;
  };

  void start(std::size_t index) {
    Slot& slot = slots_[index];
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      return startLater(index);
    }
    slot.ready.reset(ends[0]);
    UniqueFd theirs(ends[1]);
    ProcessSpec spec;
    spec.argv = arguments_;
    spec.argv.insert(spec.argv.end(), {"--worker-slot", std::to_string(index)});
    spec.fds = {
        {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}, {theirs.get(), kReadyFd}};
    auto started = Process::spawn(spec);
    if (!started) {
      log::error("cannot start a worker", {{"error", started.error().message()}});
      return startLater(index);
    }
    slot.worker = *std::move(started);
    slot.started = Reactor::Clock::now();
    watch(index);
  }

  void watch(std::size_t index) {
    Slot& slot = slots_[index];
    const auto ended = reactor_->watch(slot.worker->pidFd(), EPOLLIN,
                                       [this, index](std::uint32_t) { over(index); });
    const auto ready =
        reactor_->watch(slot.ready.get(), EPOLLIN, [this, index](std::uint32_t) { heard(index); });
    if (!ended || !ready) {
      log::error("cannot watch a worker", {{"error", (ended ? ready : ended).error().message()}});
    }
  }

  /// A byte: it serves. The end without one: it did not come so far.
  void heard(std::size_t index) {
    Slot& slot = slots_[index];
    char byte = 0;
    const bool serves = ::read(slot.ready.get(), &byte, 1) == 1;
    forgetPipe(slot);
    if (serves && !std::exchange(ready_, true)) {
      process::notifyServiceManager("READY=1");
    }
  }

  void forgetPipe(Slot& slot) {
    if (slot.ready) {
      reactor_->unwatch(slot.ready.get());
      slot.ready.reset();
    }
  }

  void over(std::size_t index) {
    Slot& slot = slots_[index];
    reactor_->unwatch(slot.worker->pidFd());
    forgetPipe(slot);
    const auto exit = slot.worker->wait(milliseconds(1'000));
    slot.worker.reset();
    const int code = exit ? exit->code : -1;
    log::warning("a worker ended",
                 {{"slot", std::to_string(index)}, {"code", std::to_string(code)}});
    if (code == kHopeless) {
      failure_ = Error{ErrorKind::Internal, "a worker cannot run; its log says why"};
      terminate();
    }
    if (!ending_) {
      return startLater(index);
    }
    if (std::none_of(slots_.begin(), slots_.end(),
                     [](const Slot& other) { return other.worker.has_value(); })) {
      reactor_->stop();
    }
  }

  void startLater(std::size_t index) {
    Slot& slot = slots_[index];
    const auto started = std::exchange(slot.started, std::nullopt);
    const bool lived = started && Reactor::Clock::now() - *started > kLivedWell;
    slot.pause = lived ? kFirstPause : std::min(slot.pause * 2, kLastPause);
    reactor_->runAfter(slot.pause, [this, index] {
      if (!ending_) {
        start(index);
      }
    });
  }

  void terminate() {
    if (std::exchange(ending_, true)) {
      return;
    }
    process::notifyServiceManager("STOPPING=1");
    signalAll(SIGTERM);
    reactor_->runAfter(std::chrono::seconds(options_.drain_seconds) + kBeyondDrain,
                       [this] { signalAll(SIGKILL); });
    if (std::none_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.worker.has_value(); })) {
      reactor_->stop();
    }
  }

  void signalAll(int number) {
    for (Slot& slot : slots_) {
      if (slot.worker) {
        static_cast<void>(
            slot.worker->signal(number).has_value());  // one that has ended is reported
      }
    }
  }

  const WorkerOptions& options_;
  const std::vector<std::string> arguments_;
  std::unique_ptr<Reactor> reactor_;
  std::vector<Slot> slots_;
  bool ready_ = false;
  bool ending_ = false;
  std::optional<Error> failure_;
};

}  // namespace

Result<void> supervise(const WorkerOptions& options, const std::vector<std::string>& arguments) {
  return Supervisor(options, arguments).run();
}

}  // namespace flotilla::engine
