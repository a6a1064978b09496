#pragma once

#include <functional>

#include "common/job/job_engine.h"
#include "engine/jobs/container_view.h"
#include "engine/lifecycle/lifecycle.h"

namespace flotilla::engine {

/// Adds engine_report: what a cluster's gateway has to know of this engine to admit it, to find its
/// containers and to choose between it and others. `info` is the job of that name. Arguments
/// outlive the engine.
void addReportJob(JobEngine& engine, Lifecycle& lifecycle, ContainerView& view,
                  std::function<JobResult()> info);

}  // namespace flotilla::engine
