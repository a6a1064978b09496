#include "engine/lifecycle/remover.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <vector>

#include "common/log/log.h"
#include "engine/lifecycle/container_events.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::milliseconds kBuryAtLeastEvery{2000};  // of a shim whose readers are slow

}  // namespace

Result<void> Remover::remove(const std::string& id, RemoveVolumes volumes) {
  ContainerRecordPtr record;
  {
    FLO_TRY_ASSIGN(auto lock, parts_.locks.take(id, "remove"));
    FLO_TRY_ASSIGN(record, parts_.catalog.find(id));
    if (!record) {
      return Error{ErrorKind::NotFound, "No such container: " + id};
    }
    if (record->state.running()) {
      return Error{ErrorKind::Conflict,
                   "container is running: stop the container before removing or"
                   " force remove"};
    }
    if (record->state.prepared) {
      parts_.runtime.end(id);  // a shim waits for the start that will not come
    }
    FLO_TRY(removeRecord(*record));
  }
  const auto clean_up = [this, record, volumes] {
    bury(record->id);
    for (const MountPoint& mount : record->spec->mounts) {
      if (volumes == RemoveVolumes::Anonymous && mount.anonymous) {
        // Another container may use it by name: then it stays.
        static_cast<void>(parts_.volumes.remove(mount.name).has_value());
      }
    }
  };
  if (!parts_.work.post(clean_up)) {
    clean_up();
  }
  return {};
}

Result<void> Remover::removeRecord(const ContainerRecord& record) {
  std::vector<WaitAnswer> answers;
  // Why a start failed was the start's answer; who waits for the removal gets the code alone.
  const Tombstone tombstone{record.id, record.state.exit_code, ""};
  FLO_TRY(parts_.database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
    answers.clear();
    FLO_TRY_ASSIGN(const bool removed, deleteContainer(transaction, tombstone, parts_.clock()));
    if (!removed) {
      return Error{ErrorKind::NotFound, "No such container: " + record.id};
    }
    FLO_TRY(parts_.events.append(transaction, containerEvent(record, "destroy")));
    FLO_TRY_ASSIGN(answers, answerWaiters(transaction, record.id,
                                          {WaitCondition::NotRunning, WaitCondition::NextExit,
                                           WaitCondition::Removed},
                                          tombstone.exit_code, tombstone.error));
    return {};
  }));
  waiters_.fire(answers);
  return {};
}

void Remover::bury(const std::string& id, std::chrono::milliseconds again) {
  auto lock = parts_.locks.take(id, "clean up");
  if (!lock) {
    buryAgain(id, again);
    return;
  }
  if (isBuried(id)) {
    return;
  }
  if (parts_.runtime.alive(id)) {
    const auto record = parts_.catalog.find(id);
    if (record && !*record) {
      parts_.runtime.abandon(
          id);  // removed; its shim is on its way out, or was just starting a process
    }
    const bool anew =
        record && *record && ((*record)->state.prepared || (*record)->state.running());
    if (!anew) {
      buryAgain(id, again);  // it said its last word, and may have readers yet
    }
    return;
  }
  // A run may have begun and ended since this burial was asked for: its journal speaks first.
  const auto settled = settle(id);
  if (!settled) {
    log::error("cannot record a lost container",
               {{"container", id}, {"error", settled.error().message()}});
  }
  if (!parts_.runtime.cleanUp(id)) {
    buryAgain(id, again);
    return;
  }
  if (const auto released = parts_.networks.release(id); !released) {
    log::warning("cannot release a container's network",
                 {{"container", id}, {"error", released.error().message()}});
  }
  const auto record = parts_.catalog.find(id);
  if (record && !*record) {
    std::error_code ignored;
    std::filesystem::remove_all(parts_.paths.container(id), ignored);
  }
}

Result<void> Remover::settle(const std::string& id) {
  FLO_TRY(consumer_.consume(id));
  FLO_TRY(consumer_.recordLoss(id, kKilled));
  return {};
}

/// Both the end of a shim and the removal ask for a burial. The container's folder goes last.
bool Remover::isBuried(const std::string& id) {
  const auto record = parts_.catalog.find(id);
  if (!record || *record) {
    return false;
  }
  for (const std::string& folder : {parts_.paths.container(id), parts_.paths.runContainer(id)}) {
    std::error_code failed;
    if (std::filesystem::exists(folder, failed) || failed) {
      return false;
    }
  }
  return true;
}

void Remover::buryAgain(const std::string& id, std::chrono::milliseconds delay) {
  parts_.reactor.post([this, id, delay] {
    parts_.reactor.runAfter(delay, [this, id, delay] {
      if (!parts_.work.post(
              [this, id, delay] { bury(id, std::min(2 * delay, kBuryAtLeastEvery)); })) {
        buryAgain(id, delay);
      }
    });
  });
}

}  // namespace flotilla::engine
