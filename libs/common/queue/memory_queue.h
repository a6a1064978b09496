#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "common/event/reactor.h"
#include "common/queue/job_queue.h"

namespace flotilla {

/// The queue of the embedded daemon: gateway and engine in one process, nothing stored. Jobs are
/// delivered on the submitter's thread, or on the thread that made room for them; results come on
/// the thread that completed the job.
class MemoryQueue final : public JobQueue {
 public:
  struct Options {
    std::size_t max_waiting = 8192;  // per engine; beyond it submit answers Unavailable
  };

  /// `timers` ends the lifetimes of waiting jobs; it must outlive the queue.
  MemoryQueue(Reactor& timers, Options options);
  explicit MemoryQueue(Reactor& timers) : MemoryQueue(timers, Options{}) {}
  ~MemoryQueue() override;
  MemoryQueue(const MemoryQueue&) = delete;
  MemoryQueue& operator=(const MemoryQueue&) = delete;

  void submit(const std::string& engine_id, Job job, Callbacks callbacks) override;
  void cancel(const std::string& job_id) override;
  Result<std::unique_ptr<Subscription>> serve(ServeOptions options,
                                              std::function<void(JobContextPtr)> deliver) override;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace flotilla
