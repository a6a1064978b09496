#pragma once

#include <string>
#include <vector>

#include "engine/store/container_catalog.h"

namespace flotilla::engine {

/// The volumes and bind mounts that a new container takes over from those that its
/// HostConfig.VolumesFrom names, as they are there; of two at one place the later. No content is
/// copied into them, and a tmpfs is nobody else's. Errors: InvalidArgument in dockerd's words.
Result<std::vector<MountPoint>> inheritedMounts(ContainerCatalog& catalog,
                                                const std::vector<std::string>& volumes_from);

}  // namespace flotilla::engine
