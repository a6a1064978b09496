#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/os/mutex.h"
#include "common/queue/cancel_listener.h"
#include "common/queue/dead_workers.h"
#include "common/queue/engine_ownership.h"
#include "common/queue/job_admission.h"
#include "common/queue/job_message.h"
#include "common/queue/job_reader.h"
#include "common/queue/redis_context.h"
#include "common/queue/redis_outbox.h"
#include "common/queue/redis_queue.h"
#include "common/queue/redis_side.h"
#include "common/queue/running_jobs.h"
#include "common/queue/worker_presence.h"

namespace flotilla {

/// The engine's side of RedisQueue: reads one engine's jobs (JobReader) as one consumer of the
/// group, accepts or refuses them (JobAdmission), takes over those of dead workers of this host
/// (DeadWorkers). On the reactor's thread, but for established(), completed(), stop(), abandon()
/// and running().
class RedisWorker final : public RedisContextOwner,
                          public std::enable_shared_from_this<RedisWorker> {
 public:
  using Deliver = std::function<void(JobContextPtr)>;

  RedisWorker(Reactor& reactor, const RedisQueueOptions& options,
              const JobQueue::ServeOptions& serve, Deliver deliver,
              std::unique_ptr<WorkerPresence> presence);

  void start();
  /// No delivery begins after this and none runs when it returns. Any thread.
  void stop();
  void close();
  /// Completions are not sent from now on. Any thread.
  void abandon() { abandoned_ = true; }
  /// Names of the jobs delivered here and not completed. Any thread.
  [[nodiscard]] std::vector<std::string> running() const { return running_.names(); }
  [[nodiscard]] Result<void> health() const;
  [[nodiscard]] bool idle() const { return outbox_->empty(); }

  void established(const std::string& gateway, const std::string& job_id,
                   const Established& message) override;
  void completed(const std::string& gateway, const std::string& job_id, const std::string& entry,
                 const JobResult& result) override;

 private:
  void connected();
  void deliver(const std::string& entry, JobEnvelope envelope);

  EngineSide side_;
  const std::shared_ptr<RedisOutbox> outbox_;
  RunningJobs running_;
  EngineOwnership ownership_;
  CancelListener cancels_;
  JobAdmission admission_;
  JobReader reader_;
  DeadWorkers dead_;

  Mutex deliver_mutex_;  // held over deliver_, so that stop() can wait for it
  Deliver deliver_ FLO_GUARDED_BY(deliver_mutex_);
  std::atomic<bool> abandoned_{false};
};

}  // namespace flotilla
