#pragma once

#include "common/job/job_engine.h"
#include "common/stream/stream_server.h"
#include "engine/jobs/container_view.h"
#include "engine/lifecycle/lifecycle.h"
#include "engine/logs/log_watch.h"

namespace flotilla::engine {

/// What the handlers around containers work with; outlives the job engine.
struct ContainerJobParts {
  Lifecycle& lifecycle;
  ContainerView& view;
  StreamServer& streams;
  LogWatch& log_watch;
};

/// Adds container_create, start, stop, restart, kill, pause, unpause, wait, remove, rename, update.
void addContainerJobs(JobEngine& engine, ContainerJobParts parts);
/// Adds container_list, inspect, top, attach, resize, logs.
void addContainerQueries(JobEngine& engine, ContainerJobParts parts);

}  // namespace flotilla::engine
