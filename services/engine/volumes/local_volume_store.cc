#include "engine/volumes/local_volume_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>

#include "common/json/json.h"
#include "common/os/directory.h"
#include "common/os/file_lock.h"
#include "common/os/random.h"
#include "common/os/rfc3339.h"
#include "engine/volumes/tree_copy.h"
#include "engine/volumes/volume_request.h"

namespace flotilla::engine {
namespace {

constexpr auto kAnonymousLabel = "com.docker.volume.anonymous";
constexpr std::string_view kHidden = ".removing-";
constexpr auto kCopying = ".copying";  // beside _data: a copy-up is under way, or was when we died
constexpr mode_t kVolumeMode = 0701;   // as dockerd's: others pass, but do not list
constexpr mode_t kDataMode = 0755;
constexpr auto kCopyDeadline = std::chrono::minutes(5);
constexpr int kOpenVolume = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::string_view kColumns = "SELECT name, created, labels, options FROM volumes";

constexpr std::string_view kSchema1 = R"sql(
CREATE TABLE volumes(
  name TEXT PRIMARY KEY,
  created INTEGER NOT NULL,   -- seconds since the epoch
  labels TEXT NOT NULL,       -- JSON object
  options TEXT NOT NULL       -- JSON object
) WITHOUT ROWID;
)sql";

std::map<std::string, std::string> decodeMap(std::string_view text) {
  std::map<std::string, std::string> values;
  if (const auto document = json::parse(text); document && document->is_object()) {
    for (const auto& [name, value] : document->items()) {
      if (value.is_string()) {
        values[name] = value.get<std::string>();
      }
    }
  }
  return values;
}

std::string encodeMap(const std::map<std::string, std::string>& values) {
  return json::dump(json::Json(values));
}

/// Makes a directory of exactly this mode, or leaves the one that is there.
Result<UniqueFd> makeDirectoryAt(int parent, const std::string& name, mode_t mode) {
  const bool made = ::mkdirat(parent, name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) {
    return sysError("make directory " + name, errno);
  }
  UniqueFd fd(::openat(parent, name.c_str(), kOpenVolume));
  if (!fd || (made && ::fchmod(fd.get(), mode) != 0)) {
    return sysError("open directory " + name, errno);
  }
  return fd;
}

Result<bool> isEmpty(int directory) {
  std::error_code error;
  const bool empty = std::filesystem::is_empty("/proc/self/fd/" + std::to_string(directory), error);
  if (error) {
    return sysError("read a volume", error.value());
  }
  return empty;
}

}  // namespace

std::vector<Migration> volumeMigrations() { return {{"volumes", 1, kSchema1}}; }

Result<std::unique_ptr<VolumeStore>> VolumeStore::create(Database& database, EventLog& events,
                                                         VolumeOptions options) {
  auto store = std::make_unique<LocalVolumeStore>(database, events, std::move(options));
  FLO_TRY(store->start());
  return std::unique_ptr<VolumeStore>(std::move(store));
}

Result<void> LocalVolumeStore::start() {
  std::error_code error;
  const bool made = std::filesystem::create_directories(options_.directory, error);
  directory_.reset(::open(options_.directory.c_str(), kOpenVolume));
  if (!directory_ || (made && ::fchmod(directory_.get(), kVolumeMode) != 0)) {
    return sysError("open " + options_.directory, errno);
  }
  return options_.alone ? recover() : Result<void>{};
}

Result<void> LocalVolumeStore::recover() {
  const MutexLock lock(mutex_);
  FLO_TRY_ASSIGN(const auto names, entryNames(options_.directory));
  for (const std::string& name : names) {
    FLO_TRY(recoverEntry(name));
  }
  FLO_TRY_ASSIGN(const auto volumes, list());
  for (const auto& volume : volumes) {
    FLO_TRY(makeDirectory(volume.name));
  }
  return {};
}

Result<void> LocalVolumeStore::recoverEntry(const std::string& name) {
  if (name.starts_with(kHidden)) {
    const auto original = name.substr(kHidden.size());
    FLO_TRY_ASSIGN(const auto row, load(original));
    if (!row) {
      return removeHidden(name);
    }
    if (::renameat2(directory_.get(), name.c_str(), directory_.get(), original.c_str(),
                    RENAME_NOREPLACE) != 0) {
      return sysError("bring back volume " + original, errno);
    }
    return {};
  }
  const UniqueFd data(::openat(directory_.get(), (name + "/_data").c_str(), kOpenVolume));
  FLO_TRY_ASSIGN(const auto row, load(name));
  if (row || !data || !isVolumeName(name)) {
    return {};
  }
  FLO_TRY_ASSIGN(const bool empty, isEmpty(data.get()));
  if (empty) {
    return removeHidden(name);
  }
  return insert({.name = name, .created_at = {}, .labels = {}, .options = {}});
}

Result<void> LocalVolumeStore::makeDirectory(const std::string& name) {
  FLO_TRY_ASSIGN(const auto volume, makeDirectoryAt(directory_.get(), name, kVolumeMode));
  FLO_TRY_ASSIGN(const auto data, makeDirectoryAt(volume.get(), "_data", kDataMode));
  if (::fsync(volume.get()) != 0 || ::fsync(directory_.get()) != 0) {
    return sysError("sync volume " + name, errno);
  }
  return {};
}

std::string LocalVolumeStore::mountpoint(const std::string& name) const {
  return options_.directory + "/" + name + "/_data";
}

Result<std::optional<Volume>> LocalVolumeStore::load(const std::string& name) {
  std::optional<Volume> found;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto row, transaction.prepare(std::string(kColumns) + " WHERE name=?"));
    FLO_TRY_ASSIGN(const bool present, row.bind(name).step());
    if (present) {
      found = Volume{.name = row.text(0),
                     .mountpoint = mountpoint(name),
                     .created_at = rfc3339Seconds(row.integer(1)),
                     .labels = decodeMap(row.view(2)),
                     .options = decodeMap(row.view(3))};
      found->anonymous = found->labels.contains(kAnonymousLabel);
    }
    return {};
  }));
  return found;
}

Result<std::vector<Volume>> LocalVolumeStore::list() {
  std::vector<Volume> volumes;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    volumes.clear();
    FLO_TRY_ASSIGN(auto rows, transaction.prepare(std::string(kColumns) + " ORDER BY name"));
    while (true) {
      FLO_TRY_ASSIGN(const bool more, rows.step());
      if (!more) {
        return {};
      }
      auto& volume = volumes.emplace_back();
      volume.name = rows.text(0);
      volume.mountpoint = mountpoint(volume.name);
      volume.created_at = rfc3339Seconds(rows.integer(1));
      volume.labels = decodeMap(rows.view(2));
      volume.options = decodeMap(rows.view(3));
      volume.anonymous = volume.labels.contains(kAnonymousLabel);
    }
  }));
  return volumes;
}

Result<void> LocalVolumeStore::insert(const Volume& volume) {
  const auto now = wallClockNanoseconds() / 1'000'000'000;
  return database_.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto row,
                   transaction.prepare(
                       "INSERT INTO volumes(name, created, labels, options) VALUES(?, ?, ?, ?)"));
    FLO_TRY(row.bind(volume.name)
                .bind(now)
                .bind(encodeMap(volume.labels))
                .bind(encodeMap(volume.options))
                .run());
    return events_.append(transaction, {.type = "volume",
                                        .action = "create",
                                        .actor_id = volume.name,
                                        .attributes = {{"driver", volume.driver}}});
  });
}

Result<Volume> LocalVolumeStore::create(const VolumeRequest& request) {
  FLO_TRY(checkVolumeRequest(request));
  Volume volume{
      .name = request.name, .created_at = {}, .labels = request.labels, .options = request.options};
  if (volume.name.empty()) {
    volume.name = randomHex(32);
    volume.labels[kAnonymousLabel] = "";
  }
  {
    const MutexLock lock(mutex_);
    FLO_TRY_ASSIGN(auto present, load(volume.name));
    FLO_TRY(makeDirectory(volume.name));  // also gives a volume back the directory it lost
    if (present) {
      return *std::move(present);
    }
    if (auto inserted = insert(volume);
        !inserted && inserted.error().kind() != ErrorKind::AlreadyExists) {
      return std::move(inserted).error();  // another worker may have made it meanwhile
    }
  }
  return get(volume.name);
}

std::optional<Volume> LocalVolumeStore::find(const std::string& name) {
  auto found = load(name);
  return found ? *std::move(found) : std::nullopt;
}

Result<Volume> LocalVolumeStore::get(const std::string& name) {
  FLO_TRY_ASSIGN(auto found, load(name));
  if (!found) {
    return Error{ErrorKind::NotFound, "get " + name + ": no such volume"};
  }
  return *std::move(found);
}

Result<void> LocalVolumeStore::checkUnused(const std::string& name) {
  if (!options_.users) {
    return {};
  }
  FLO_TRY_ASSIGN(const auto users, options_.users(name));
  if (users.empty()) {
    return {};
  }
  std::string ids;
  for (const auto& id : users) {
    ids += (ids.empty() ? "" : ", ") + id;
  }
  return Error{ErrorKind::Conflict, "remove " + name + ": volume is in use - [" + ids + "]"};
}

Result<void> LocalVolumeStore::remove(const std::string& name) {
  FLO_TRY(get(name));
  FLO_TRY(checkUnused(name));
  const auto hidden = std::string(kHidden) + name;
  {
    const MutexLock lock(mutex_);
    if (::renameat(directory_.get(), name.c_str(), directory_.get(), hidden.c_str()) != 0 &&
        errno != ENOENT) {
      return sysError("remove " + name, errno);
    }
    FLO_TRY(database_.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
      FLO_TRY_ASSIGN(auto row, transaction.prepare("DELETE FROM volumes WHERE name=?"));
      FLO_TRY(row.bind(name).run());
      return events_.append(transaction, {.type = "volume",
                                          .action = "destroy",
                                          .actor_id = name,
                                          .attributes = {{"driver", "local"}}});
    }));
  }
  return removeHidden(hidden);
}

Result<void> LocalVolumeStore::removeHidden(const std::string& hidden) {
  const UniqueFd volume(::openat(directory_.get(), hidden.c_str(), kOpenVolume));
  if (!volume) {
    return errno == ENOENT ? Result<void>{} : sysError("remove a volume", errno);
  }
  FLO_TRY(clearTree(volume.get()));
  if (::unlinkat(directory_.get(), hidden.c_str(), AT_REMOVEDIR) != 0) {
    return sysError("remove a volume", errno);
  }
  return {};
}

Result<void> LocalVolumeStore::copyUp(const std::string& name, int source_dir_fd) {
  const UniqueFd volume(::openat(directory_.get(), name.c_str(), kOpenVolume));
  const UniqueFd data(volume ? ::openat(volume.get(), "_data", kOpenVolume) : -1);
  if (!data) {
    return sysError("open volume " + name, errno);
  }
  auto locked = lockFile(volume.get(), LOCK_EX, std::chrono::steady_clock::now() + kCopyDeadline);
  if (!locked && locked.error().kind() == ErrorKind::Unavailable) {
    return Error{ErrorKind::Unavailable, "another container's start is still filling the volume"};
  }
  FLO_TRY(std::move(locked));
  const bool interrupted = ::faccessat(volume.get(), kCopying, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (interrupted) {
    FLO_TRY(clearTree(data.get()));  // no container ever ran with what a crash left half-copied
  }
  FLO_TRY_ASSIGN(const bool empty, isEmpty(data.get()));
  if (!empty) {
    return {};
  }
  const UniqueFd marker(
      ::openat(volume.get(), kCopying, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!marker) {
    return sysError("mark volume " + name, errno);
  }
  if (auto copied = copyTree(source_dir_fd, data.get()); !copied) {
    return std::move(copied).error().context("copy into volume " + name);
  }
  if (::unlinkat(volume.get(), kCopying, 0) != 0) {
    return sysError("unmark volume " + name, errno);
  }
  return {};
}

Result<void> LocalVolumeStore::appendMounted(Transaction& transaction, const std::string& name,
                                             const std::string& container_id,
                                             const std::string& destination, bool writable) {
  return events_.append(transaction, {.type = "volume",
                                      .action = "mount",
                                      .actor_id = name,
                                      .attributes = {{"container", container_id},
                                                     {"destination", destination},
                                                     {"driver", "local"},
                                                     {"propagation", ""},
                                                     {"read/write", writable ? "true" : "false"}}});
}

Result<void> LocalVolumeStore::appendUnmounted(Transaction& transaction, const std::string& name,
                                               const std::string& container_id) {
  return events_.append(transaction,
                        {.type = "volume",
                         .action = "unmount",
                         .actor_id = name,
                         .attributes = {{"container", container_id}, {"driver", "local"}}});
}

}  // namespace flotilla::engine
