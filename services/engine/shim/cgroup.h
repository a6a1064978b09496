#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine::shim {

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
  /// True when nothing is left of it; false while processes are still dying: try again.
  [[nodiscard]] bool remove() const;

 private:
  [[nodiscard]] std::string hierarchy(const std::string& controller) const;

  bool unified_ = false;
  std::vector<std::string> directories_;
};

/// Moves this process to the root cgroup of every hierarchy, so that stopping the engine's service
/// (which may kill its cgroup) leaves the container's supervisor alone.
void leaveCgroup();

}  // namespace flotilla::engine::shim
