#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine::shim {

/// Ways into a cgroup that a process takes itself, at its birth. Moving another process, or a whole
/// one, makes the kernel wait for every CPU to come to rest (10 to 20 ms).
struct CgroupEntrance {
  std::vector<UniqueFd> tasks;  // v1: a process of one thread writes "0" to each
  UniqueFd unified;             // v2: for CLONE_INTO_CGROUP
};

/// The container's cgroup, in every hierarchy of cgroup v1 or the one of v2.
class Cgroup {
 public:
  /// `path` as in config.json's cgroupsPath, e.g. "/flotilla/<id>". Nothing is made: the runtime
  /// does that. An empty path gives an object whose operations find nothing.
  explicit Cgroup(const std::string& path);

  /// Every process in it and in cgroups below it.
  [[nodiscard]] std::vector<int> pids() const;
  void killAll() const;
  /// Whether the kernel's OOM killer ended a process in it. Before remove().
  [[nodiscard]] bool oomKilled() const;
  /// Errors: Internal; DeadlineExceeded when the kernel has not done it within a second.
  [[nodiscard]] Result<void> freeze(bool frozen) const;
  [[nodiscard]] bool frozen() const;
  /// Errors: Internal.
  [[nodiscard]] Result<void> liftPidsLimit() const;
  /// True when nothing is left of it; false while processes are still dying: try again.
  [[nodiscard]] bool remove() const;

  /// Errors: Internal when there is none (yet).
  [[nodiscard]] Result<CgroupEntrance> entrance() const;
  /// From here on, until showMembers(), whoever else uses this mount namespace moves processes into
  /// the cgroup in vain (what is written to cgroup.procs is lost): for a runtime whose processes
  /// are born in the cgroup. Not before the cgroup is made. Repeated calls are cheap. Errors:
  /// Internal.
  Result<void> hideMembers();
  void showMembers();

 private:
  [[nodiscard]] std::string hierarchy(const std::string& controller) const;
  [[nodiscard]] std::string absolute(const std::string& directory) const;

  bool unified_ = false;
  std::vector<std::string> directories_;  // below /sys/fs/cgroup
  UniqueFd original_;                     // /sys/fs/cgroup below the copy that hides the members
};

/// Moves this process to the root cgroup of every hierarchy, so that stopping the engine's service
/// (which may kill its cgroup) leaves the container's supervisor alone.
void leaveCgroup();

}  // namespace flotilla::engine::shim
