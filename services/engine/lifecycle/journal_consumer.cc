#include "engine/lifecycle/journal_consumer.h"

#include <utility>

#include "engine/lifecycle/container_events.h"
#include "engine/store/container_store.h"
#include "engine/store/exec_store.h"

namespace flotilla::engine {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

Result<void> appendUnmounts(LifecycleParts& parts, Transaction& transaction,
                            const ContainerRecord& record) {
  for (const MountPoint& mount : record.spec->mounts) {
    if (mount.type == "volume") {
      FLO_TRY(parts.volumes.appendUnmounted(transaction, mount.name, record.id));
    }
  }
  return {};
}

Result<void> appendMounts(LifecycleParts& parts, Transaction& transaction,
                          const ContainerRecord& record) {
  for (const MountPoint& mount : record.spec->mounts) {
    if (mount.type == "volume") {
      FLO_TRY(parts.volumes.appendMounted(transaction, mount.name, record.id, mount.destination,
                                          mount.writable));
    }
  }
  return {};
}

}  // namespace

std::shared_ptr<std::mutex> JournalConsumer::mutexOf(const std::string& id) {
  const std::lock_guard lock(mutex_);
  auto& slot = mutexes_[id];
  auto mutex = slot.lock();
  if (!mutex) {
    mutex = std::make_shared<std::mutex>();
    slot = mutex;
    std::erase_if(mutexes_, [](const auto& entry) { return entry.second.expired(); });
  }
  return mutex;
}

Result<void> JournalConsumer::consume(const std::string& id) {
  const auto mutex = mutexOf(id);
  Batch batch;
  {
    // One at a time per container: a second consumer finds the position moved and nothing to do.
    const std::lock_guard lock(*mutex);
    FLO_TRY_ASSIGN(const auto record, parts_.catalog.find(id));
    if (!record) {
      return {};
    }
    FLO_TRY_ASSIGN(const auto lines, parts_.runtime.journal(id, record->state.journal_seq));
    if (lines.empty()) {
      return {};
    }
    const auto applied = parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
      batch = Batch{};
      return apply(transaction, *record, lines, batch);
    });
    if (!applied) {
      // Removed meanwhile: its journal concerns nobody any more.
      const bool removed = applied.error().kind() == ErrorKind::NotFound;
      return removed ? Result<void>{} : applied;
    }
    parts_.runtime.consumed(id, batch.seq);
  }
  tell(id, batch);
  return {};
}

Result<bool> JournalConsumer::recordLoss(const std::string& id, int exit_code) {
  const auto mutex = mutexOf(id);
  Batch batch;
  {
    const std::lock_guard lock(*mutex);
    FLO_TRY_ASSIGN(const auto record, parts_.catalog.find(id));
    if (!record || !record->state.running()) {
      return false;
    }
    JournalLine line;
    line.exit_code = exit_code;
    line.time_ns = parts_.clock();
    FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
      batch = Batch{};
      return changeState(transaction, id, [&](ContainerState& state) -> Result<void> {
        if (!state.running()) {  // another worker was faster
          return {};
        }
        return applyExit(transaction, *record, line, state, batch);
      });
    }));
  }
  tell(id, batch);
  return batch.exited;
}

Result<void> JournalConsumer::apply(Transaction& transaction, const ContainerRecord& record,
                                    const std::vector<JournalLine>& lines, Batch& batch) {
  return changeState(transaction, record.id, [&](ContainerState& state) -> Result<void> {
    for (const JournalLine& line : lines) {
      if (line.seq > state.journal_seq) {  // another worker may have been faster
        FLO_TRY(applyLine(transaction, record, line, state, batch));
        state.journal_seq = line.seq;
      }
    }
    batch.seq = state.journal_seq;
    return {};
  });
}

Result<void> JournalConsumer::applyLine(Transaction& transaction, const ContainerRecord& record,
                                        const JournalLine& line, ContainerState& state,
                                        Batch& batch) {
  switch (line.what) {
    case JournalLine::What::Start:
      return applyStart(transaction, record, line, state);
    case JournalLine::What::Exit:
      return applyExit(transaction, record, line, state, batch);
    case JournalLine::What::ExecStart:
      return noteExecPid(transaction, line.exec_id, line.pid);
    case JournalLine::What::ExecExit:
      return applyExecExit(transaction, record, line);
    case JournalLine::What::StartFailed:
      if (state.running()) {  // a restart of the shim's failed
        return applyExit(transaction, record, line, state, batch);
      }
      state.run = line.run;
      state.prepared = false;
      state.error = line.error;
      state.exit_code = line.exit_code;
      return {};
    case JournalLine::What::End:
      if (state.prepared) {  // its shim waited in vain for a start
        state.prepared = false;
        state.attached = false;
      }
      if (state.status == ContainerStatus::Restarting) {  // the restart was called off
        state.status = ContainerStatus::Exited;
        state.pid = 0;
        state.attached = false;
        batch.exited = true;
        batch.finished = true;
      }
      return {};
  }
  return {};
}

Result<void> JournalConsumer::applyStart(Transaction& transaction, const ContainerRecord& record,
                                         const JournalLine& line, ContainerState& state) {
  const bool restarted = state.status == ContainerStatus::Restarting;
  state.status = ContainerStatus::Running;
  state.prepared = false;
  state.pid = line.pid;
  state.pid_start = line.pid_start;
  state.boot = line.boot;
  state.exit_code = 0;
  state.oom_killed = false;
  state.error.clear();
  state.started_ns = line.time_ns;
  state.restart_count = static_cast<int>(line.restarts);
  state.run = line.run;
  if (!restarted) {
    FLO_TRY(appendMounts(parts_, transaction, record));
    if (state.attached) {
      FLO_TRY(parts_.events.append(transaction,
                                   networkEvent(record, state.endpoint, "connect", line.time_ns)));
    }
  }
  return parts_.events.append(transaction, containerEvent(record, "start", {}, line.time_ns));
}

Result<void> JournalConsumer::applyExit(Transaction& transaction, const ContainerRecord& record,
                                        const JournalLine& line, ContainerState& state,
                                        Batch& batch) {
  const std::int64_t ran = state.started_ns != 0 ? (line.time_ns - state.started_ns) / kSecond : 0;
  state.pid = 0;
  state.pid_start = 0;
  state.exit_code = line.exit_code;
  state.oom_killed = line.oom;
  state.error = line.error;
  state.finished_ns = line.time_ns;
  state.status = line.restarting ? ContainerStatus::Restarting : ContainerStatus::Exited;
  FLO_TRY(endExecs(transaction, record.id, kKilled, line.time_ns));
  if (line.oom) {
    FLO_TRY(parts_.events.append(transaction, containerEvent(record, "oom", {}, line.time_ns)));
  }
  if (!line.restarting) {
    if (state.attached) {
      FLO_TRY(parts_.events.append(
          transaction, networkEvent(record, state.endpoint, "disconnect", line.time_ns)));
      state.attached = false;
    }
    FLO_TRY(appendUnmounts(parts_, transaction, record));
    batch.finished = true;
  }
  FLO_TRY(parts_.events.append(
      transaction,
      containerEvent(record, "die",
                     {{"exitCode", std::to_string(line.exit_code)},
                      {"execDuration", std::to_string(std::max<std::int64_t>(ran, 0))}},
                     line.time_ns)));
  FLO_TRY_ASSIGN(auto answers, answerWaiters(transaction, record.id,
                                             {WaitCondition::NotRunning, WaitCondition::NextExit},
                                             line.exit_code, line.error));
  batch.answers.insert(batch.answers.end(), answers.begin(), answers.end());
  batch.exited = true;
  return {};
}

Result<void> JournalConsumer::applyExecExit(Transaction& transaction, const ContainerRecord& record,
                                            const JournalLine& line) {
  FLO_TRY(noteExecExit(transaction, line.exec_id, line.exit_code, line.time_ns));
  return parts_.events.append(
      transaction,
      containerEvent(record, "exec_die",
                     {{"execID", line.exec_id}, {"exitCode", std::to_string(line.exit_code)}},
                     line.time_ns));
}

void JournalConsumer::tell(const std::string& id, const Batch& batch) {
  if (!batch.exited) {
    return;
  }
  waiters_.fire(batch.answers);
  stopped_.happened(id);
  if (batch.finished && hooks_.on_exited) {
    hooks_.on_exited(id);
  }
}

}  // namespace flotilla::engine
