#pragma once

#include "engine/jobs/container_view.h"

namespace flotilla::engine {

/// Bytes of a container's own layer, whose tree is walked, and of it with its image's.
DiskUse diskUse(const Paths& paths, ImageSource& images, const ContainerRecord& record);

}  // namespace flotilla::engine
