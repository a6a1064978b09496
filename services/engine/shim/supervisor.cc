#include "engine/shim/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "engine/shim/memory.h"
#include "engine/shim/sandbox.h"

namespace flotilla::engine::shim {
namespace {

constexpr std::chrono::milliseconds kTrimAfter{500};
constexpr std::chrono::seconds kStartLimit{
    60};  // how long a start may be behind the launch, with no client
constexpr std::chrono::milliseconds kReleaseLimit{500};  // longest pause between two attempts

void setOomScore(const std::string& process, int score) {
  const UniqueFd fd(::open(("/proc/" + process + "/oom_score_adj").c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(score);
  // Lowering needs a privilege that the host may not grant: then it stays as it is.
  (void)!::write(fd.get(), text.data(), text.size());
}

}  // namespace

Result<std::unique_ptr<Supervisor>> Supervisor::create(EventLoop& loop, LaunchSpec spec) {
  FLO_TRY_ASSIGN(JournalWriter journal,
                 JournalWriter::open(spec.journal, spec.first_seq, spec.run));
  auto supervisor = std::make_unique<Supervisor>(loop, std::move(spec), std::move(journal));
  FLO_TRY(supervisor->listen());
  return supervisor;
}

Supervisor::Supervisor(EventLoop& loop, LaunchSpec spec, JournalWriter journal)
    : loop_(loop),
      spec_(std::move(spec)),
      journal_(std::move(journal)),
      children_(loop),
      cgroup_(spec_.cgroup_path),
      runtime_(spec_, cgroup_) {}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::listen() {
  FLO_TRY_ASSIGN(door_, StreamDoor::listen(loop_));
  FLO_TRY_ASSIGN(control_, ControlServer::listen(loop_, [this](const json& request, Answer answer) {
                   handle(request, answer);
                 }));
  journal_.onAppend([this](std::uint64_t seq) {
    if (control_) {
      control_->publish(seq);
    }
  });
  execs_ = std::make_unique<ExecSessions>(
      ExecSessions::Parts{loop_, children_, journal_, *door_, runtime_, spec_});
  execs_->onIdle([this] { leaveWhenIdle(); });
  height_ = spec_.height;
  width_ = spec_.width;
  return {};
}

void Supervisor::prepare(std::vector<UniqueFd> passed) {
  unprepared_ = makeSandbox(std::move(passed));
  if (!spec_.log.path.empty()) {
    log_ = std::make_unique<LogWriter>(loop_, spec_.log);
    log_->onRoom([this] {
      if (io_) {
        io_->resume();
      }
    });
  }
  io_ = makeIo();
  io_->onLastClientGone([this] { leaveIfUnwanted(); });
  loop_.after(kStartLimit, [this] { leaveIfUnwanted(); });
}

std::optional<StartFailure> Supervisor::makeSandbox(std::vector<UniqueFd> passed) {
  const auto step = [](Result<void> result) {
    return result ? std::nullopt : std::optional(plainFailure(std::move(result).error()));
  };
  const std::vector<UniqueFd> trees = cloneBinds(spec_, std::move(passed));
  leaveCgroup();
  setOomScore("self", -999);
  if (auto failure = step(enterMountNamespace())) {
    return failure;
  }
  if (auto failure = step(placeBinds(spec_, trees))) {
    return failure;
  }
  if (auto failure = step(mountRoot(spec_.overlay))) {
    return failure;
  }
  const std::string& merged = spec_.overlay.merged;
  const auto root = RootFiles::open(merged.empty() ? spec_.bundle + "/rootfs" : merged);
  return root ? completeBundle(spec_.bundle, *root, plan_) : plainFailure(root.error());
}

std::shared_ptr<ProcessIo> Supervisor::makeIo() {
  ProcessIo::Options options;
  options.tty = spec_.tty;
  options.open_stdin = spec_.open_stdin;
  options.stdin_once = spec_.stdin_once;
  options.drop_when_full = spec_.log.non_blocking;
  return std::make_shared<ProcessIo>(loop_, log_.get(), options);
}

void Supervisor::go(const json& request, const Answer& answer) {
  // Whoever takes over from a worker that died asks for the same run again.
  const auto run = request.find("run");
  const bool same =
      run != request.end() && run->is_number_unsigned() && run->get<unsigned>() == journal_.run();
  if (same && state_ == State::Starting) {
    go_answers_.push_back(answer);
    return;
  }
  if (same && state_ == State::Running) {
    answer({{"ok", true}, {"pid", pid_}});
    return;
  }
  if (state_ != State::Created) {
    answer(errorAnswer(Error{ErrorKind::Conflict,
                             "container " + spec_.container_id + " has been started already"}));
    return;
  }
  go_answers_.push_back(answer);
  startProcess();
}

void Supervisor::startProcess() {
  state_ = State::Starting;
  journal_.nextRun();
  if (unprepared_) {
    startFailed(std::move(*unprepared_));
    return;
  }
  if (spec_.tty) {
    auto console = ConsoleSocket::listen("console.sock");
    if (!console) {
      startFailed(plainFailure(std::move(console).error()));
      return;
    }
    console_ = std::move(*console);
  }
  const auto stdio = io_->open();
  if (!stdio) {
    startFailed(plainFailure(stdio.error()));
    return;
  }
  exec_failed_ = false;
  if (plan_.exec_will_fail) {
    io_->rewordFirstOutput([this](std::string_view output) {
      std::string better = rewordExecError(output, plan_.program);
      exec_failed_ = !better.empty();
      return better;
    });
  }
  // Until the process runs its pipes may hold the runtime's own words (crun repeats its errors
  // there).
  io_->hold();
  auto runtime = runtime_.run(*stdio, console_ ? console_->path() : std::string());
  io_->closeChildEnds();
  if (!runtime) {
    runtimeFailed(plainFailure(std::move(runtime).error()));
    return;
  }
  setOomScore(std::to_string(*runtime), spec_.oom_score_adj);
  children_.runtimeStarted();
  children_.expect(*runtime, [this](int status) { runtimeEnded(status); });
}

void Supervisor::runtimeEnded(int status) {
  const Runtime::Outcome outcome = runtime_.takeOutcome("run");
  if (console_) {
    if (UniqueFd master = console_->take()) {
      io_->adoptConsole(std::move(master), height_, width_);
    }
    console_.reset();
  }
  if (status != 0 || outcome.pid <= 0) {
    children_.runtimeEnded();
    runtimeFailed(
        withBindSources(fromRuntimeLog(Verb::Run, outcome.log, plan_.program), spec_.binds));
    return;
  }
  io_->release();
  pid_ = outcome.pid;
  state_ = State::Running;
  started_ = std::chrono::steady_clock::now();
  journal_.append("start", {{"pid", pid_},
                            {"pid_start", processStartTime(pid_)},
                            {"boot", bootId()},
                            {"restarts", restart_.restarts()}});
  children_.expect(pid_, [this](int how) { processExited(how); });
  children_.runtimeEnded();
  answerGo({{"ok", true}, {"pid", pid_}});
  trimSoon();
}

void Supervisor::answerGo(const json& reply) {
  for (const Answer& answer : std::exchange(go_answers_, {})) {
    answer(reply);
  }
}

/// A shim sleeps for most of its container's life: what starting took is given back.
void Supervisor::trimSoon() {
  if (trim_timer_ == 0) {
    trim_timer_ = loop_.after(kTrimAfter, [this] {
      trim_timer_ = 0;
      if (log_) {
        log_->releaseMemory();
      }
      returnMemory();
    });
  }
}

void Supervisor::runtimeFailed(StartFailure failure) {
  io_->discardOutput();
  io_->release();
  startFailed(std::move(failure));
}

void Supervisor::startFailed(StartFailure failure) {
  state_ = State::Exiting;
  journal_.append("start_failed", {{"error", failure.error.message()},
                                   {"kind", kindName(failure.error.kind())},
                                   {"code", failure.code}});
  answerGo(errorAnswer(failure.error, failure.code));
  console_.reset();
  io_->closeChildEnds();
  cgroup_.killAll();
  ++lingering_;
  io_->finish([this] {
    --lingering_;
    leaveWhenIdle();
  });
  release([this] { end(); });
}

void Supervisor::processExited(int status) {
  state_ = State::Exiting;
  cgroup_.killAll();
  oom_ = cgroup_.oomKilled();
  io_->processExited([this, status] {
    exit_code_ = exec_failed_ ? 255 : exitCode(status);
    recordExit();
  });
}

void Supervisor::recordExit() {
  const auto ran = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started_);
  const auto delay =
      no_restart_ ? std::nullopt : restart_.afterExit(spec_.restart, exit_code_, ran);
  json line = {{"exit_code", exit_code_},
               {"oom", oom_},
               {"restarting", delay.has_value()},
               {"delay_ms", delay ? delay->count() : 0},
               {"restarts", restart_.restarts()}};
  if (io_->dropped() > 0) {
    line["dropped"] = io_->dropped();
  }
  journal_.append("exit", std::move(line));
  pid_ = 0;
  ++lingering_;
  io_->finish([this, io = io_]() mutable {
    io.reset();
    --lingering_;
    leaveWhenIdle();
  });
  if (delay) {
    restartAfter(*delay);
  } else {
    release([this] { end(); });
  }
}

void Supervisor::restartAfter(std::chrono::milliseconds delay) {
  state_ = State::BackOff;
  io_ = makeIo();
  const auto due = std::chrono::steady_clock::now() + delay;
  release([this, due] {
    if (state_ != State::BackOff) {
      return;  // called off meanwhile
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
    restart_timer_ =
        loop_.after(std::max(left, std::chrono::milliseconds(0)), [this] { restartNow(); });
  });
}

void Supervisor::restartNow() {
  restart_timer_ = 0;
  startProcess();
}

/// Removes what the runtime left: its state and the cgroup. Dying processes keep a cgroup busy for
/// a moment; one that cannot be removed for some seconds is left to the engine's next start.
void Supervisor::release(std::function<void()> done) {
  runtime_.removeState();
  if (cgroup_.remove() || release_delay_ > kReleaseLimit) {
    release_delay_ = std::chrono::milliseconds(1);
    done();
    return;
  }
  cgroup_.killAll();
  loop_.after(release_delay_,
              [this, done = std::move(done)]() mutable { release(std::move(done)); });
  release_delay_ *= 2;
}

void Supervisor::end() {
  state_ = State::Ended;
  unmountRoot(spec_.overlay);
  if (spec_.has_netns) {
    ::close(kNetnsFd);
  }
  const unsigned first_port = kFirstPassedFd + static_cast<unsigned>(spec_.binds.size());
  if (spec_.port_fds > 0) {
    ::close_range(first_port, first_port + spec_.port_fds - 1, 0);
  }
  journal_.append("end");
  control_.reset();
  // A stream whose ticket was given out may still come for the rest of its output.
  if (door_->waiting() == 0) {
    leaveWhenIdle();
    return;
  }
  loop_.after(StreamDoor::kValid, [this] { leaveWhenIdle(); });
  leaveWhenIdle();
}

void Supervisor::leaveWhenIdle() {
  if (state_ != State::Ended) {
    return;
  }
  if (lingering_ == 0 && execs_->idle()) {
    door_.reset();
    loop_.quit();
  }
}

}  // namespace flotilla::engine::shim
