#pragma once

#include <string>

namespace flotilla::engine {

/// Kills every process left in a container's cgroup ("/flotilla/<id>") and removes its directories,
/// on cgroup v2 and in every v1 hierarchy. False while some process has not died yet: ask again.
bool removeCgroup(const std::string& cgroup_path);

}  // namespace flotilla::engine
