// What the engine asks of a Supervisor.
#include <signal.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/shim/supervisor.h"

namespace flotilla::engine::shim {
namespace {

using nlohmann::json;

json ok() { return {{"ok", true}}; }

bool liftsPidsLimit(const json& resources) {
  const auto pids = resources.find("pids");
  return pids != resources.end() && pids->is_null();
}

}  // namespace

Error Supervisor::notRunning() const {
  return Error{ErrorKind::Conflict, "container " + spec_.container_id + " is not running"};
}

void Supervisor::handle(const json& request, const Answer& answer) {
  if (state_ == State::Leaving) {
    return;  // the end of the connection says so, when the journal has its last line
  }
  const std::string op = textMember(request, "op");
  if (op == "go") {
    go(request, answer);
  } else if (op == "exec_start") {
    execStart(request, answer);
  } else if (op == "limits") {
    setLimits(request, answer);
  } else {
    answer(simple(op, request));
  }
}

json Supervisor::simple(const std::string& op, const json& request) {
  if (op == "subscribe") {
    control_->subscribe();
    return {{"ok", true}, {"seq", journal_.lastSeq()}};
  }
  if (op == "consumed") {
    const auto seq = request.find("seq");
    if (seq != request.end() && seq->is_number_unsigned()) {
      journal_.consumed(seq->get<std::uint64_t>());
    }
    return ok();
  }
  if (op == "pids") {
    return {{"ok", true}, {"pids", pids()}};
  }
  if (op == "exec_prepare") {
    return execPrepare(request);
  }
  if (op == "expect_attach") {
    return attach(request);
  }
  if (op == "resize") {
    return resize(request);
  }
  if (op == "exec_resize") {
    return execs_->resize(request);
  }
  if (op == "exec_state") {
    return execs_->state(textMember(request, "exec_id"));
  }
  if (op == "signal") {
    return signal(request);
  }
  if (op == "pause" || op == "resume") {
    return freeze(op == "pause");
  }
  if (op == "stopping") {
    return stopping();
  }
  if (op == "restart_policy") {
    return setPolicy(request);
  }
  if (op == "end") {
    return leave();
  }
  return errorAnswer(Error{ErrorKind::InvalidArgument, "unknown request: " + op.substr(0, 64)});
}

json Supervisor::attach(const json& request) {
  if (state_ == State::Exiting || state_ == State::Ended) {
    return errorAnswer(notRunning());
  }
  StreamOptions options = streamOptions(request);
  options.in = options.in && spec_.open_stdin;
  options.live = flagMember(request, "stream");
  options.raw = spec_.tty;
  // A foreground run is part of a pipeline: the process waits for its reader (as with dockerd).
  options.lossless = state_ == State::Created;
  const std::shared_ptr<ProcessIo> io = io_;
  auto expected = door_->expect(textMember(request, "ticket"), [this, io, options](UniqueFd fd) {
    if (fd) {
      io->attach(ClientStream::create(loop_, std::move(fd), options));
    } else {
      loop_.defer([this] { leaveIfUnwanted(); });
    }
    if (options.lossless) {
      io->release();
    }
  });
  if (!expected) {
    return errorAnswer(expected.error());
  }
  if (options.lossless) {
    io->hold();
  }
  return ok();
}

json Supervisor::resize(const json& request) {
  height_ = numberMember(request, "height");
  width_ = numberMember(request, "width");
  if (state_ == State::Created || state_ == State::Starting) {
    return ok();  // applied when the terminal comes
  }
  if (state_ != State::Running) {
    return errorAnswer(notRunning());
  }
  if (!io_->resize(height_, width_)) {
    return errorAnswer(Error{ErrorKind::Internal,
                             "container " + spec_.container_id + " has no terminal to resize"});
  }
  return ok();
}

json Supervisor::signal(const json& request) {
  const unsigned number = numberMember(request, "signal");
  if (number == 0 || number > 64) {
    return errorAnswer(Error{ErrorKind::InvalidArgument, "invalid signal"});
  }
  // The pid cannot be another process's: it is a child that has not been reaped.
  if (state_ != State::Running || ::kill(pid_, static_cast<int>(number)) != 0) {
    return errorAnswer(notRunning());
  }
  return ok();
}

json Supervisor::freeze(bool frozen) {
  if (state_ != State::Running) {
    return errorAnswer(notRunning());
  }
  if (cgroup_.frozen() == frozen) {
    return errorAnswer(Error{
        ErrorKind::Conflict,
        "Container " + spec_.container_id + (frozen ? " is already paused" : " is not paused")});
  }
  const auto done = cgroup_.freeze(frozen);
  return done ? ok() : errorAnswer(done.error());
}

json Supervisor::stopping() {
  no_restart_ = true;
  if (state_ == State::BackOff) {
    loop_.cancel(std::exchange(restart_timer_, 0));
    state_ = State::Exiting;
    loop_.defer([this] { release([this] { end(); }); });
  }
  return ok();
}

json Supervisor::setPolicy(const json& request) {
  spec_.restart.name = textMember(request, "name");
  spec_.restart.max_retries = numberMember(request, "max_retries");
  return ok();
}

void Supervisor::setLimits(const json& request, const Answer& answer) {
  constexpr std::chrono::milliseconds kStartsSoon{5};
  const auto resources = request.find("resources");
  if (resources == request.end() || !resources->is_object()) {
    answer(errorAnswer(Error{ErrorKind::InvalidArgument, "limits: no resources"}));
    return;
  }
  if (state_ == State::Starting) {  // the runtime reads config.json now, or has done so
    loop_.after(kStartsSoon, [this, request, answer] { setLimits(request, answer); });
    return;
  }
  if (state_ != State::Running) {
    answer(keepLimits(*resources));
    return;
  }
  json changes = *resources;
  if (liftsPidsLimit(changes)) {
    changes.erase("pids");  // not every runtime has a word for that
  }
  const auto runtime = runtime_.update(changes.dump());
  if (!runtime) {
    answer(errorAnswer(runtime.error()));
    return;
  }
  children_.expect(
      *runtime, [this, kept = *resources, answer](int status) { limitsSet(kept, answer, status); });
}

void Supervisor::limitsSet(const json& resources, const Answer& answer, int status) {
  const Runtime::Outcome outcome = runtime_.takeOutcome("update");
  if (status == 0) {
    const auto lifted = liftsPidsLimit(resources) ? cgroup_.liftPidsLimit() : Result<void>{};
    answer(lifted ? keepLimits(resources) : errorAnswer(lifted.error()));
  } else {
    answer(
        errorAnswer(Error{ErrorKind::Internal, spec_.runtime.substr(spec_.runtime.rfind('/') + 1) +
                                                   " did not terminate successfully: exit status " +
                                                   std::to_string(exitCode(status)) + ": " +
                                                   lastRuntimeError(outcome.log)}));
  }
  trimSoon();
}

json Supervisor::keepLimits(const json& resources) const {
  const auto kept = mergeResources(spec_.bundle, resources);
  return kept ? ok() : errorAnswer(kept.error());
}

json Supervisor::leave() {
  if (state_ != State::Created) {
    return errorAnswer(
        Error{ErrorKind::Conflict, "container " + spec_.container_id + " is not idle"});
  }
  state_ = State::Leaving;
  ++lingering_;
  io_->finish([this] {
    --lingering_;
    leaveWhenIdle();
  });
  loop_.defer([this] { release([this] { end(); }); });
  return ok();
}

/// A container that was attached to and not started: once no client is left, nor input of one for
/// the process, nobody will miss this shim. A start that comes later makes another.
void Supervisor::leaveIfUnwanted() {
  if (state_ == State::Created && !io_->hasClients() && !io_->hasInput() && door_->waiting() == 0) {
    leave();
  }
}

json Supervisor::execPrepare(const json& request) {
  if (state_ == State::Running && !cgroup_.frozen()) {
    execs_->prepare(request);
    trimSoon();
  }
  return ok();
}

std::vector<int> Supervisor::pids() const {
  std::vector<int> found = cgroup_.pids();
  const std::vector<int> others = execs_->waitingRuntimes();
  std::erase_if(found, [&others](int pid) {
    return std::find(others.begin(), others.end(), pid) != others.end();
  });
  return found;
}

void Supervisor::execStart(const json& request, const Answer& answer) {
  if (state_ != State::Running) {
    answer(errorAnswer(notRunning()));
    return;
  }
  if (cgroup_.frozen()) {
    answer(errorAnswer(Error{
        ErrorKind::Conflict,
        "Container " + spec_.container_id + " is paused, unpause the container before exec"}));
    return;
  }
  execs_->start(request, pid_, answer);
  trimSoon();
}

}  // namespace flotilla::engine::shim
