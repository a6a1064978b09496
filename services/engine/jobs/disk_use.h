#pragma once

#include "engine/jobs/container_view.h"

namespace flotilla::engine {

/// Bytes of a container's own layer, and of it with its image's: walks the trees.
DiskUse diskUse(const Paths& paths, ImageSource& images, const ContainerRecord& record);

}  // namespace flotilla::engine
