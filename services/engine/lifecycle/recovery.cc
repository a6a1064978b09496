#include "engine/lifecycle/recovery.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>

#include "common/log/log.h"
#include "common/os/directory.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

constexpr int kLostWithBoot = 255;

Result<void> makeFolder(const std::string& path, fs::perms permissions) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed) {
    return sysError("mkdir " + path, failed.value());
  }
  fs::permissions(path, permissions, failed);
  return {};
}

/// What is made in such a folder is of its group.
Result<void> makeGroupFolder(const std::string& path, mode_t permissions, gid_t group) {
  std::error_code failed;
  fs::create_directories(path, failed);
  if (failed || ::chown(path.c_str(), static_cast<uid_t>(-1), group) != 0 ||
      ::chmod(path.c_str(), permissions | S_ISGID) != 0) {
    return sysError("make " + path + " for group " + std::to_string(group),
                    failed ? failed.value() : errno);
  }
  return {};
}

}  // namespace

bool wantsRestart(const ContainerRecord& record, LostWith with) {
  const model::HostConfig& host = record.spec->host;
  const ContainerState& state = record.state;
  if (host.restart_policy == "always" && with == LostWith::Boot) {
    return true;
  }
  if (state.manually_stopped) {
    return false;
  }
  if (host.restart_policy == "on-failure") {
    return state.exit_code != 0 &&
           (host.restart_max_retries <= 0 || state.restart_count < host.restart_max_retries);
  }
  return host.restart_policy == "always" || host.restart_policy == "unless-stopped";
}

Result<void> makeEngineFolders(const Paths& paths, Company company,
                               std::optional<gid_t> stream_group) {
  constexpr auto kPublic = fs::perms(0711);
  constexpr auto kPrivate = fs::perms(0700);
  if (company == Company::Alone) {
    std::error_code ignored;
    fs::remove_all(paths.tmp(), ignored);
  }
  FLO_TRY(makeFolder(paths.root(), kPublic));
  FLO_TRY(makeFolder(paths.run(), kPublic));
  FLO_TRY(makeFolder(paths.containers(), fs::perms(0710)));
  FLO_TRY(makeFolder(paths.tmp(), kPrivate));
  FLO_TRY(makeFolder(paths.runtimeRoot(), kPrivate));
  FLO_TRY(makeFolder(paths.locks(), kPrivate));
  if (stream_group) {
    FLO_TRY(makeGroupFolder(paths.runContainers(), 0710, *stream_group));
    return makeGroupFolder(paths.streams(), 0750, *stream_group);
  }
  FLO_TRY(makeFolder(paths.runContainers(), kPrivate));
  return makeFolder(paths.streams(), fs::perms(0750));
}

Result<void> Recovery::run() {
  parts_.locks.sweep();
  FLO_TRY_ASSIGN(const auto before, parts_.catalog.list());
  std::set<std::string> lost;
  for (const auto& record : before) {
    if (isLost(*record)) {
      lost.insert(record->id);
    }
  }
  FLO_TRY(reconcileNetworks());
  FLO_TRY_ASSIGN(const auto records, parts_.catalog.list());
  for (const auto& record : records) {
    if (const auto settled = settle(*record); !settled) {
      log::error("cannot clean up after a container",
                 {{"container", record->id}, {"error", settled.error().message()}});
    }
  }
  removeOrphans();
  startByPolicy(before, lost);
  return {};
}

void Recovery::takeOver() {
  const auto before = parts_.catalog.list();
  if (!before) {
    log::error("cannot look after containers", {{"error", before.error().message()}});
    return;
  }
  std::set<std::string> lost;
  for (const auto& record : *before) {
    const bool lives = record->state.running() || record->state.prepared;
    if (lives && !parts_.runtime.watching(record->id) && isLost(*record)) {
      lost.insert(record->id);
    }
  }
  for (const std::string& id : parts_.runtime.known()) {
    if (!parts_.runtime.alive(id)) {
      remover_.bury(id);
    }
  }
  for (const auto& record : *before) {
    removeExited(*record);
  }
  startByPolicy(*before, lost);
}

/// --rm of a container whose exit was stored by a worker that died before it could remove it.
void Recovery::removeExited(const ContainerRecord& record) {
  if (!record.spec->host.auto_remove || parts_.runtime.alive(record.id)) {
    return;
  }
  const auto now = parts_.catalog.find(record.id);
  if (now && *now && (*now)->state.status == ContainerStatus::Exited) {
    const auto removed = remover_.remove(record.id, RemoveVolumes::Anonymous);
    if (!removed && removed.error().kind() != ErrorKind::NotFound) {
      log::warning("cannot remove a container after its exit",
                   {{"container", record.id}, {"error", removed.error().message()}});
    }
  }
}

/// Adopts; one that cannot be adopted does not keep others from it.
bool Recovery::isLost(const ContainerRecord& record) {
  const auto lost = adopt(record);
  if (!lost) {
    log::error("cannot adopt a container",
               {{"container", record.id}, {"error", lost.error().message()}});
  }
  return lost && *lost;
}

/// Reads what the shim wrote while nobody listened; a shim that is gone with its container running
/// is a loss. True when this call recorded one.
Result<bool> Recovery::adopt(const ContainerRecord& record) {
  const bool alive = parts_.runtime.alive(record.id);
  FLO_TRY(consumer_.consume(record.id));
  if (alive) {
    // It may leave at any moment: then its watch says so, or it is gone already.
    if (watcher_.watch(record.id)) {
      return false;
    }
    FLO_TRY(consumer_.consume(record.id));
  }
  FLO_TRY_ASSIGN(const auto now, parts_.catalog.find(record.id));
  if (!now || !now->state.running()) {
    return false;
  }
  const bool this_boot = now->state.boot.empty() || now->state.boot == parts_.facts.boot;
  return consumer_.recordLoss(record.id, this_boot ? kKilled : kLostWithBoot);
}

Result<void> Recovery::reconcileNetworks() {
  FLO_TRY_ASSIGN(const auto records, parts_.catalog.list());
  std::vector<std::pair<std::string, Endpoint>> running;
  for (const auto& record : records) {
    // A created container whose shim waits for `start` has its network, too.
    if (record->state.attached && parts_.runtime.alive(record->id)) {
      running.emplace_back(record->id, record->state.endpoint);
    }
  }
  return parts_.networks.reconcile(running);
}

Result<void> Recovery::settle(const ContainerRecord& record) {
  if (parts_.runtime.alive(record.id)) {
    return {};
  }
  remover_.bury(record.id);
  const bool ran = record.state.status == ContainerStatus::Exited;
  if (record.spec->host.auto_remove && ran) {
    auto removed = remover_.remove(record.id, RemoveVolumes::Anonymous);
    return removed || removed.error().kind() == ErrorKind::NotFound ? Result<void>{} : removed;
  }
  return {};
}

/// Containers that were never stored, or whose removal was cut short: their folders, and whatever
/// of them still runs.
void Recovery::removeOrphans() {
  std::set<std::string> ids;
  for (const std::string& id : parts_.runtime.known()) {
    ids.insert(id);
  }
  if (auto folders = entryNames(parts_.paths.containers()); folders) {
    ids.insert(folders->begin(), folders->end());
  }
  for (const std::string& id : ids) {
    const auto record = parts_.catalog.find(id);
    if (record && !*record) {
      log::warning("ending what is left of a container that is not in the store",
                   {{"container", id}});
      remover_.bury(id);
    }
  }
}

/// Starts what was lost, and once in this worker's life what an earlier boot ended: a container
/// that cannot be started stays of that boot, and is not to be tried again and again.
void Recovery::startByPolicy(const std::vector<ContainerRecordPtr>& before,
                             const std::set<std::string>& lost) {
  const bool after_boot = !boot_settled_.exchange(true);
  for (const auto& was : before) {
    const bool another_boot = !was->state.boot.empty() && was->state.boot != parts_.facts.boot;
    if (!lost.contains(was->id) && !(after_boot && another_boot)) {
      continue;
    }
    const LostWith with = another_boot ? LostWith::Boot : LostWith::Shim;
    const auto start = [this, id = was->id, with] { startLost(id, with); };
    if (!parts_.work.post(start)) {
      start();
    }
  }
}

void Recovery::shimGone(const std::string& id) {
  const auto lost = consumer_.recordLoss(id, kKilled);
  remover_.bury(id);
  if (lost && *lost) {
    startLost(id, LostWith::Shim);
  }
}

void Recovery::startLost(const std::string& id, LostWith with) {
  const auto record = parts_.catalog.find(id);
  if (!record || !*record || (*record)->state.status != ContainerStatus::Exited ||
      !wantsRestart(**record, with)) {
    return;
  }
  if (const auto started = starter_.start(id, {.reason = Starter::Reason::Policy}); !started) {
    log::warning("restart policy: the container did not start",
                 {{"container", id}, {"error", started.error().message()}});
  }
}

}  // namespace flotilla::engine
