#pragma once

#include <string>

#include "common/job/job.h"
#include "common/queue/job_queue.h"

namespace flotilla::gateway {

/// What does jobs for the gateway: one engine, or a cluster that is one engine to its clients.
/// Thread-safe.
class EngineClient {
 public:
  virtual ~EngineClient() = default;

  /// Sends the job; never blocks. The rules of the callbacks are JobQueue's.
  virtual void submit(Job job, JobQueue::Callbacks callbacks) = 0;
  /// The client of this job is gone. Unknown ids are ignored.
  virtual void cancel(const std::string& job_id) = 0;
};

}  // namespace flotilla::gateway
