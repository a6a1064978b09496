#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/os/mutex.h"
#include "common/os/unique_fd.h"
#include "engine/volumes/volume_store.h"

namespace flotilla::engine {

/// Volumes as directories of one file system.
///
/// Crash safety: the directory is made before the row and hidden (renamed to ".removing-<name>")
/// before the row goes. start(), when alone, finishes what a crash left: a hidden directory goes,
/// or comes back when its row is still there; a directory without a row goes when it is empty, else
/// it is taken for a volume again: data is never thrown away on a guess.
class LocalVolumeStore final : public VolumeStore {
 public:
  LocalVolumeStore(Database& database, EventLog& events, VolumeOptions options)
      : database_(database), events_(events), options_(std::move(options)) {}

  Result<void> start();

  Result<Volume> create(const VolumeRequest& request) override;
  std::optional<Volume> find(const std::string& name) override;
  Result<Volume> get(const std::string& name) override;
  Result<std::vector<Volume>> list() override;
  Result<void> remove(const std::string& name) override;
  Result<void> copyUp(const std::string& name, int source_dir_fd) override;
  Result<void> appendMounted(Transaction& transaction, const std::string& name,
                             const std::string& container_id, const std::string& destination,
                             bool writable) override;
  Result<void> appendUnmounted(Transaction& transaction, const std::string& name,
                               const std::string& container_id) override;

 private:
  Result<std::optional<Volume>> load(const std::string& name);
  Result<void> insert(const Volume& volume);
  Result<void> makeDirectory(const std::string& name) FLO_REQUIRES(mutex_);
  Result<void> recover();
  Result<void> recoverEntry(const std::string& name) FLO_REQUIRES(mutex_);
  Result<void> removeHidden(const std::string& hidden);
  Result<void> checkUnused(const std::string& name);
  [[nodiscard]] std::string mountpoint(const std::string& name) const;

  Database& database_;
  EventLog& events_;
  const VolumeOptions options_;
  UniqueFd directory_;
  Mutex mutex_;  // held over making and hiding directories: row and directory change together
};

}  // namespace flotilla::engine
