#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "engine/store/database.h"
#include "engine/store/event_log.h"

namespace flotilla::engine {

struct Volume {
  std::string name, driver = "local", mountpoint, created_at;  // RFC 3339, seconds, UTC
  std::map<std::string, std::string> labels, options;
  bool anonymous = false;  // has the label com.docker.volume.anonymous
};

/// POST /volumes/create. An empty name makes an anonymous volume, with a name of 64 hex digits.
struct VolumeRequest {
  std::string name, driver;
  std::map<std::string, std::string> labels, options;
};

struct VolumeOptions {
  std::string directory;  // <root>/volumes
  /// IDs of the containers that mention a volume, running or not; called without locks held.
  std::function<Result<std::vector<std::string>>(const std::string& volume)> users;
  /// No other worker lives: what is half made or half removed belongs to nobody.
  bool alone = true;
};

/// Named volumes of one engine, under <root>/volumes/<name>/_data: a directory and a row, both
/// durable before a create returns; half-made and half-removed ones are finished by create() of the
/// store. Thread-safe.
class VolumeStore {
 public:
  /// Makes the directory and, when alone, cleans up after a crash. `database` was opened with
  /// volumeMigrations(); both references outlive the store.
  static Result<std::unique_ptr<VolumeStore>> create(Database& database, EventLog& events,
                                                     VolumeOptions options);
  virtual ~VolumeStore() = default;

  /// The volume of that name, made if absent (event "create").
  /// Errors in Docker's words: InvalidArgument for a bad name or option, NotFound for a driver.
  virtual Result<Volume> create(const VolumeRequest& request) = 0;
  virtual std::optional<Volume> find(const std::string& name) = 0;
  /// Errors: NotFound "get <name>: no such volume".
  virtual Result<Volume> get(const std::string& name) = 0;
  virtual Result<std::vector<Volume>> list() = 0;
  /// Event "destroy". Errors: NotFound; Conflict "remove <name>: volume is in use - [<ids>]".
  virtual Result<void> remove(const std::string& name) = 0;

  /// Copies the directory `source_dir_fd` (in the container's image, already resolved) into a
  /// volume that is still empty, with owners, modes, times, extended attributes and hard links:
  /// what Docker does on first use. A volume with anything in it is left alone.
  virtual Result<void> copyUp(const std::string& name, int source_dir_fd) = 0;

  /// Events "mount" and "unmount", inside the transaction that starts or ends the container.
  virtual Result<void> appendMounted(Transaction& transaction, const std::string& name,
                                     const std::string& container_id,
                                     const std::string& destination, bool writable) = 0;
  virtual Result<void> appendUnmounted(Transaction& transaction, const std::string& name,
                                       const std::string& container_id) = 0;
};

/// Schema of this module, for Database::open.
std::vector<Migration> volumeMigrations();

}  // namespace flotilla::engine
