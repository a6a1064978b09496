#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla {

/// Which workers of a host live: each holds flock on `<folder>/<worker>.lock`, and the kernel lets
/// go when it dies, however it dies. A stopped (SIGSTOP) one lives. Not thread-safe.
class WorkerPresence {
 public:
  /// Shows `worker` as living, until destroyed. Errors: sysError naming the file; Conflict when
  /// another process is that worker.
  static Result<std::unique_ptr<WorkerPresence>> create(const std::string& folder,
                                                        const std::string& worker);
  ~WorkerPresence();
  WorkerPresence(const WorkerPresence&) = delete;
  WorkerPresence& operator=(const WorkerPresence&) = delete;

  /// Every worker known here but this one, dead or alive.
  [[nodiscard]] std::vector<std::string> others() const;

  /// The lock of a dead worker; nothing while it lives. While held, nobody else takes it over.
  [[nodiscard]] std::optional<UniqueFd> takeOver(const std::string& worker) const;
  /// It left nothing behind: its lock file goes.
  void bury(const std::string& worker, UniqueFd lock) const;

  /// Whether any worker lives there. Meant for one who is not among them yet.
  static bool anyLives(const std::string& folder);
  static bool lives(const std::string& folder, const std::string& worker);

  [[nodiscard]] const std::string& worker() const { return worker_; }

 private:
  WorkerPresence(std::string folder, std::string worker, UniqueFd lock)
      : folder_(std::move(folder)), worker_(std::move(worker)), lock_(std::move(lock)) {}

  const std::string folder_;
  const std::string worker_;
  UniqueFd lock_;
};

}  // namespace flotilla
