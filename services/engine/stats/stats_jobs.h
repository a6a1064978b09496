#pragma once

#include "common/event/reactor.h"
#include "common/event/thread_pool.h"
#include "common/job/job_engine.h"
#include "common/stream/stream_server.h"
#include "engine/stats/container_usage.h"
#include "engine/store/container_catalog.h"

namespace flotilla::engine {

/// What container_stats works with; outlives the job engine. Looks are taken on `pool`.
struct StatsJobParts {
  ContainerCatalog& catalog;
  StreamServer& streams;
  Reactor& reactor;
  ThreadPool& pool;
  CgroupLayout cgroups;
};

/// Adds container_stats.
void addStatsJobs(JobEngine& engine, StatsJobParts parts);

}  // namespace flotilla::engine
