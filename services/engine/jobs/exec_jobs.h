#pragma once

#include "engine/jobs/container_jobs.h"

namespace flotilla::engine {

/// Adds exec_create, exec_start, exec_inspect, exec_resize.
void addExecJobs(JobEngine& engine, ContainerJobParts parts);

}  // namespace flotilla::engine
