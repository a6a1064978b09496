#pragma once

#include "common/job/job_engine.h"
#include "engine/network/network_manager.h"

namespace flotilla::engine {

/// Adds the jobs network_list and network_inspect. `networks` outlives the engine.
void addNetworkJobs(JobEngine& engine, NetworkManager& networks);

}  // namespace flotilla::engine
