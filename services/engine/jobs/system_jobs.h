#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/job/job_engine.h"
#include "engine/jobs/container_view.h"
#include "engine/lifecycle/lifecycle.h"

namespace flotilla::engine {

/// What `info` and `version` say of this engine.
struct SystemFacts {
  std::string engine_id;
  std::string name;  // of the host
  std::vector<std::string> labels;
  std::string version = "0.1.0";
  std::function<std::size_t()> image_count;
  std::function<std::size_t()> event_listeners;
};

/// Adds info, version and engine_report. `lifecycle` and `view` outlive the engine.
void addSystemJobs(JobEngine& engine, Lifecycle& lifecycle, ContainerView& view, SystemFacts facts);

}  // namespace flotilla::engine
