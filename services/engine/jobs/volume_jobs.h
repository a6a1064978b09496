#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/job/job_engine.h"
#include "engine/volumes/volume_store.h"

namespace flotilla::engine {

/// IDs of the containers that mention a volume: as VolumeOptions::users, for the filter "dangling".
using VolumeUsers = std::function<Result<std::vector<std::string>>(const std::string& volume)>;

/// Adds the jobs volume_create, volume_list, volume_inspect and volume_remove. `volumes` outlives
/// the engine.
void addVolumeJobs(JobEngine& engine, VolumeStore& volumes, VolumeUsers users);

}  // namespace flotilla::engine
