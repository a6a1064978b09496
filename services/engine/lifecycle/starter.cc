#include "engine/lifecycle/starter.h"

#include "common/log/log.h"
#include "engine/lifecycle/predecessor.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

constexpr int kStartFailed = 128;

}  // namespace

Result<void> Starter::start(const std::string& id, Attempt attempt) {
  parts_.runtime.expectStart();
  FLO_TRY(awaitPredecessor(parts_, id));
  const auto turn = parts_.gate.take();
  FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "start"));
  FLO_TRY(consumer_.consume(id));
  FLO_TRY_ASSIGN(const auto record, parts_.catalog.find(id));
  if (!record) {
    return Error{ErrorKind::NotFound, "No such container: " + id};
  }
  if (attempt.first_found && ranSince(id, *attempt.first_found)) {
    return {};
  }
  FLO_TRY(check(*record));
  if (record->state.manually_stopped && attempt.reason == Reason::User) {
    FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
      return changeState(transaction, id, [](ContainerState& state) -> Result<void> {
        state.manually_stopped = false;
        return {};
      });
    }));
  }
  auto started = run(*record);
  if (!started) {
    recordFailure(id, started.error());
    stopped_.happened(id);
    if (on_failed_) {
      on_failed_(id);
    }
  }
  return started;
}

bool Starter::ranSince(const std::string& id, unsigned run) const {
  const auto now = parts_.catalog.find(id);
  return now && *now && (*now)->state.run > run &&
         ((*now)->state.running() || (*now)->state.error.empty());
}

Result<void> Starter::check(const ContainerRecord& record) const {
  switch (record.state.status) {
    case ContainerStatus::Running:
    case ContainerStatus::Restarting:
      return Error{ErrorKind::NotModified, "container is already running"};
    case ContainerStatus::Paused:
      return Error{ErrorKind::Conflict, "cannot start a paused container, try unpause instead"};
    case ContainerStatus::Removing:
    case ContainerStatus::Dead:
      return Error{ErrorKind::Conflict, "container is marked for removal and cannot be started"};
    case ContainerStatus::Created:
    case ContainerStatus::Exited:
      break;
  }
  return {};
}

Result<void> Starter::run(const ContainerRecord& record) {
  const unsigned before = record.state.run;
  if (const auto prepared = launcher_.prepare(record); !prepared) {
    return ranSince(record.id, before) ? Result<void>{} : prepared;
  }
  if (const std::string& error = record.state.attach_error; !error.empty()) {
    launcher_.undo(record.id);
    return Error{ErrorKind::Internal, error};
  }
  auto gone = parts_.runtime.go(record.id, before + 1);
  // The journal has the start, or the failure with its exit code, whatever go() said.
  auto consumed = consumer_.consume(record.id);
  if (!gone && gone.error().kind() == ErrorKind::Unavailable) {
    FLO_TRY_ASSIGN(const bool replaced, launcher_.replace(record));
    if (replaced) {
      gone = parts_.runtime.go(record.id, before + 1);
      consumed = consumer_.consume(record.id);
    }
  }
  if (!gone && ranSince(record.id, before)) {
    return {};  // by the word of a worker that died over it
  }
  if (!gone) {
    launcher_.undo(record.id);
    return gone;
  }
  return consumed;
}

void Starter::recordFailure(const std::string& id, const Error& error) {
  const auto recorded = parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
    return changeState(transaction, id, [&](ContainerState& state) -> Result<void> {
      state.error = error.message();
      state.attach_error.clear();
      if (state.exit_code == 0) {
        state.exit_code = kStartFailed;
      }
      return {};
    });
  });
  if (!recorded) {
    log::error("cannot record a failed start",
               {{"container", id}, {"error", recorded.error().message()}});
  }
}

}  // namespace flotilla::engine
