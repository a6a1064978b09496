#pragma once

#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine::shim {

/// Copies of the trees behind the passed descriptors, made while this process still sees the host's
/// mounts: a tree can only be cloned by a process of its own namespace. Descriptors that are
/// clones already (shared binds) are taken as they are.
std::vector<UniqueFd> cloneBinds(const LaunchSpec& spec, std::vector<UniqueFd> passed);

/// Gives this process a mount namespace of its own in which nothing reaches the host: all slave,
/// /dev/null read-only; where the host has the hybrid cgroup layout, /sys private and `unified`
/// hidden (crun refuses that layout). Errors: Internal.
Result<void> enterMountNamespace();

/// Places the cloned trees at binds/<N> of the working directory. Errors: Internal naming the
/// source.
Result<void> placeBinds(const LaunchSpec& spec, const std::vector<UniqueFd>& trees);

/// Mounts the container's root; without OverlayConfig::merged there is nothing to do.
Result<void> mountRoot(const OverlayConfig& overlay);
/// Takes the root's mount away, so that its upper directory is free for another mount.
void unmountRoot(const OverlayConfig& overlay);

}  // namespace flotilla::engine::shim
