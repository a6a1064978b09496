#pragma once

#include <string>

#include "common/model/container_validate.h"

namespace flotilla::engine {

/// This process's bounding set: what "all capabilities" can mean here.
model::CapabilitySet ownCapabilities();

/// Whether /sys/fs/cgroup is the unified hierarchy (cgroup v2).
bool hasUnifiedCgroups();

/// CPUs, memory nodes, capabilities and cgroup version of this host, read from /proc and /sys.
/// Cheap enough for each create (well under a millisecond).
model::HostFacts hostFacts();

/// Path of a static init program for --init (docker-init, tini-static, catatonit), "" when the host
/// has none.
std::string findInit();

}  // namespace flotilla::engine
