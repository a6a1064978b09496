#pragma once

#include "common/event/thread_pool.h"
#include "common/job/job_engine.h"
#include "common/stream/stream_server.h"
#include "engine/images/pull/image_pull.h"

namespace flotilla::engine {

/// Adds the job image_create (docs/jobs.md). `pulls` runs it, a thread each: a pool of its own,
/// since registries are slow. The pool must be gone before the context and `streams`.
void addPullJobs(JobEngine& engine, PullContext& context, StreamServer& streams, ThreadPool& pulls);

}  // namespace flotilla::engine
