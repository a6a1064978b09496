#include "engine/lifecycle/stopper.h"

#include <csignal>
#include <utility>

#include "common/model/signal_name.h"
#include "engine/lifecycle/container_events.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

constexpr int kDefaultGrace = 10;
constexpr std::chrono::seconds kKillDeadline{10};

int stopSignal(const ContainerSpec& spec) {
  if (spec.config.stop_signal.empty()) {
    return SIGTERM;
  }
  const auto parsed = model::parseSignal(spec.config.stop_signal);
  return parsed ? *parsed : SIGTERM;
}

Error notRunning(const std::string& id) {
  return Error{ErrorKind::Conflict, "container " + id + " is not running"};
}

}  // namespace

Result<ContainerRecordPtr> Stopper::running(const std::string& id) {
  FLO_TRY_ASSIGN(auto record, parts_.catalog.find(id));
  if (!record) {
    return Error{ErrorKind::NotFound, "No such container: " + id};
  }
  if (!record->state.running()) {
    return notRunning(record->id);
  }
  return record;
}

/// The intent is stored before the signal is sent, then the shim is told: no restart follows.
Result<void> Stopper::markStopped(const ContainerRecord& record, const std::string& event,
                                  const std::map<std::string, std::string>& attributes) {
  FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY(changeState(transaction, record.id, [](ContainerState& state) -> Result<void> {
      state.manually_stopped = true;
      return {};
    }));
    return event.empty()
               ? Result<void>{}
               : parts_.events.append(transaction, containerEvent(record, event, attributes));
  }));
  const auto told = parts_.runtime.stopping(record.id);
  // A shim that is gone restarts nothing.
  return told || told.error().kind() == ErrorKind::Unavailable ? Result<void>{} : told;
}

Result<void> Stopper::send(const ContainerRecord& record, int signal_number) {
  auto sent = parts_.runtime.signal({record.state.pid, record.state.pid_start}, signal_number);
  if (!sent && sent.error().kind() == ErrorKind::NotFound) {
    return {};  // it has exited; its journal says so
  }
  return sent;
}

void Stopper::whenStopped(const std::string& id, std::optional<std::chrono::milliseconds> timeout,
                          std::function<void(bool stopped)> then) {
  stopped_.when(id, timeout, [then = std::move(then)](Notices::Outcome outcome) {
    then(outcome == Notices::Outcome::Happened);
  });
  const auto record = parts_.catalog.find(id);
  if (record && (!*record || !(*record)->state.running())) {
    stopped_.happened(id);
  }
}

void Stopper::stop(const std::string& id, const StopOptions& options, Done done) {
  auto found = running(id);
  if (!found) {
    const bool idle = found.error().kind() == ErrorKind::Conflict;
    done(idle ? Error{ErrorKind::NotModified, "container already stopped"} : found.error());
    return;
  }
  const ContainerRecordPtr record = *found;
  int signal_number = stopSignal(*record->spec);
  if (!options.signal.empty()) {
    const auto parsed = model::parseSignal(options.signal);
    if (!parsed) {
      done(parsed.error());
      return;
    }
    signal_number = *parsed;
  }
  if (auto marked = markStopped(*record, "kill", {{"signal", std::to_string(signal_number)}});
      !marked) {
    done(marked);
    return;
  }
  if (auto sent = send(*record, signal_number); !sent) {
    done(sent);
    return;
  }
  if (record->state.status == ContainerStatus::Paused) {
    static_cast<void>(parts_.runtime.resume(record->id).has_value());  // to receive the signal
  }
  const int seconds =
      options.timeout_seconds.value_or(record->spec->config.stop_timeout.value_or(kDefaultGrace));
  std::optional<std::chrono::milliseconds> grace;
  if (seconds >= 0) {
    grace = std::chrono::seconds(seconds);
  }
  whenStopped(record->id, grace, [this, record, done = std::move(done)](bool stopped) {
    if (stopped) {
      finishStop(record, done);
      return;
    }
    if (auto told = markStopped(*record, "kill", {{"signal", "9"}}); !told) {
      done(told);
      return;
    }
    killNow(record, [this, record, done](const Result<void>& killed) {
      killed ? finishStop(record, done) : done(killed);
    });
  });
}

void Stopper::finishStop(const ContainerRecordPtr& record, const Done& done) {
  done(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
    return parts_.events.append(transaction, containerEvent(*record, "stop"));
  }));
}

void Stopper::killNow(const ContainerRecordPtr& record, Done done) {
  // A run may have followed the one that was asked to stop; the current process is meant.
  auto current = parts_.catalog.find(record->id);
  if (!current || !*current || !(*current)->state.running()) {
    done({});
    return;
  }
  if (auto sent = send(**current, SIGKILL); !sent) {
    done(sent);
    return;
  }
  if ((*current)->state.status == ContainerStatus::Paused) {
    static_cast<void>(parts_.runtime.resume(record->id).has_value());
  }
  whenStopped(record->id, kKillDeadline, [id = record->id, done = std::move(done)](bool stopped) {
    done(stopped
             ? Result<void>{}
             : Result<void>{Error{ErrorKind::Internal,
                                  "tried to kill container, but did not receive an exit event"}});
  });
}

void Stopper::kill(const std::string& id, const std::string& signal, Done done) {
  int number = SIGKILL;
  if (!signal.empty()) {
    const auto parsed = model::parseSignal(signal);
    if (!parsed) {
      done(parsed.error());
      return;
    }
    number = *parsed;
  }
  auto found = running(id);
  if (!found) {
    done(found.error());
    return;
  }
  const ContainerRecordPtr record = *found;
  if (record->state.status == ContainerStatus::Restarting && number != SIGKILL) {
    done(Error{ErrorKind::Conflict,
               "container " + id + " is restarting, wait until the container is running"});
    return;
  }
  const std::map<std::string, std::string> attributes = {{"signal", std::to_string(number)}};
  const bool stops = number == SIGKILL || record->spec->config.stop_signal.empty() ||
                     number == stopSignal(*record->spec);
  auto marked = stops ? markStopped(*record, "kill", attributes)
                      : parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
                          return parts_.events.append(transaction,
                                                      containerEvent(*record, "kill", attributes));
                        });
  if (!marked) {
    done(marked);
    return;
  }
  if (number == SIGKILL) {
    killNow(record, std::move(done));
    return;
  }
  auto sent = send(*record, number);
  if (sent && record->state.status == ContainerStatus::Paused) {
    sent = parts_.runtime.resume(record->id);
  }
  done(sent);
}

void Stopper::killForRemoval(const std::string& id, Done done) {
  auto found = running(id);
  if (!found) {
    done(found.error().kind() == ErrorKind::Conflict ? Result<void>{}
                                                     : Result<void>{found.error()});
    return;
  }
  if (auto marked = markStopped(**found, "kill", {{"signal", "9"}}); !marked) {
    done(marked);
    return;
  }
  killNow(*found, std::move(done));
}

Result<void> Stopper::pause(const std::string& id) {
  FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "pause"));
  FLO_TRY_ASSIGN(const auto record, running(id));
  if (record->state.status == ContainerStatus::Paused) {
    return Error{ErrorKind::Conflict, "Container " + id + " is already paused"};
  }
  if (record->state.status == ContainerStatus::Restarting) {
    return Error{ErrorKind::Conflict,
                 "Container " + id + " is restarting, wait until the container is running"};
  }
  FLO_TRY(parts_.runtime.pause(id));
  return parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY(changeState(transaction, id, [](ContainerState& state) -> Result<void> {
      if (state.status == ContainerStatus::Running) {
        state.status = ContainerStatus::Paused;
      }
      return {};
    }));
    return parts_.events.append(transaction, containerEvent(*record, "pause"));
  });
}

Result<void> Stopper::unpause(const std::string& id) {
  FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "unpause"));
  FLO_TRY_ASSIGN(const auto record, parts_.catalog.find(id));
  if (!record) {
    return Error{ErrorKind::NotFound, "No such container: " + id};
  }
  if (record->state.status != ContainerStatus::Paused) {
    return Error{ErrorKind::Internal, "Container " + id + " is not paused"};
  }
  FLO_TRY(parts_.runtime.resume(id));
  return parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY(changeState(transaction, id, [](ContainerState& state) -> Result<void> {
      if (state.status == ContainerStatus::Paused) {
        state.status = ContainerStatus::Running;
      }
      return {};
    }));
    return parts_.events.append(transaction, containerEvent(*record, "unpause"));
  });
}

}  // namespace flotilla::engine
