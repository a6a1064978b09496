#pragma once

#include <string>
#include <utility>

#include "api-gateway/cluster/engine_client.h"

namespace flotilla::gateway {

/// One of our own engines, reached by jobs through a queue.
class QueueEngine final : public EngineClient {
 public:
  QueueEngine(JobQueue& queue, std::string engine_id)
      : queue_(queue), engine_id_(std::move(engine_id)) {}

  void submit(Job job, JobQueue::Callbacks callbacks) override {
    queue_.submit(engine_id_, std::move(job), std::move(callbacks));
  }
  void cancel(const std::string& job_id) override { queue_.cancel(job_id); }

 private:
  JobQueue& queue_;
  const std::string engine_id_;
};

}  // namespace flotilla::gateway
