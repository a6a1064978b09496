#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "common/error/result.h"
#include "common/job/job.h"

namespace flotilla {

/// Carries jobs from gateways to the engine of one host. Thread-safe. Implementations: memory (one
/// process), Redis Streams. Every implementation passes job_queue_contract.h.
///
/// Delivery is at least once: a worker sees a job again, under its own id, when the worker that had
/// it died; effects are made once by the worker (decisions.md 5).
class JobQueue {
 public:
  /// Called on a thread of the queue's; must not block. on_established at most once and before
  /// on_result; on_result exactly once, unless the queue itself is destroyed first.
  struct Callbacks {
    std::function<void(Established)> on_established;
    std::function<void(JobResult)> on_result;
  };

  struct ServeOptions {
    std::string engine_id;
    std::size_t max_in_flight = 1024;  // deliver no more than this many uncompleted jobs
  };

  /// Ends delivery when destroyed: blocks until a running `deliver` returned.
  class Subscription {
   public:
    virtual ~Subscription() = default;
  };

  virtual ~JobQueue() = default;

  /// Never blocks. on_result gets Unavailable when the queue is full, away, or nobody serves
  /// `engine_id`; DeadlineExceeded when the job's lifetime ends before a worker took it.
  virtual void submit(const std::string& engine_id, Job job, Callbacks callbacks) = 0;

  /// The client is gone: an undelivered job is removed, a running one has its onCancel called.
  /// on_result still comes. Unknown ids are ignored.
  virtual void cancel(const std::string& job_id) = 0;

  /// `deliver` is called on a thread of the queue's and must not block (JobEngine::run does not).
  virtual Result<std::unique_ptr<Subscription>> serve(
      ServeOptions options, std::function<void(JobContextPtr)> deliver) = 0;
};

}  // namespace flotilla
