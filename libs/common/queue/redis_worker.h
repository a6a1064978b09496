#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/os/mutex.h"
#include "common/queue/job_message.h"
#include "common/queue/redis_clock.h"
#include "common/queue/redis_context.h"
#include "common/queue/redis_keys.h"
#include "common/queue/redis_outbox.h"
#include "common/queue/redis_queue.h"
#include "common/queue/worker_presence.h"

namespace flotilla {

/// The engine's side of RedisQueue: reads one engine's jobs as one consumer of the group, accepts
/// or refuses them, takes over those of dead workers of this host. On the reactor's thread, but for
/// established(), completed(), stop(), abandon() and running().
class RedisWorker final : public RedisContextOwner,
                          public std::enable_shared_from_this<RedisWorker> {
 public:
  using Deliver = std::function<void(JobContextPtr)>;

  RedisWorker(Reactor& reactor, const RedisQueueOptions& options, JobQueue::ServeOptions serve,
              Deliver deliver, std::unique_ptr<WorkerPresence> presence);

  void start();
  /// No delivery begins after this and none runs when it returns. Any thread.
  void stop();
  void close();
  /// Completions are not sent from now on. Any thread.
  void abandon() { abandoned_ = true; }
  [[nodiscard]] std::vector<std::string> running() const;
  [[nodiscard]] Result<void> health() const;
  [[nodiscard]] bool idle() const { return outbox_->empty(); }

  void established(const std::string& gateway, const std::string& job_id,
                   const Established& message) override;
  void completed(const std::string& gateway, const std::string& job_id, const std::string& entry,
                 const JobResult& result) override;

 private:
  enum class Delivery { First, Again };
  struct Counters {
    prometheus::Counter *forged = nullptr, *foreign = nullptr, *expired = nullptr,
                        *orphaned = nullptr, *claimed = nullptr;
  };

  // Being this engine's worker.
  void connected();
  void heartbeat();
  void ownerKnown(const Result<RedisReply>& reply);
  void refused(const Error& why);
  void makeGroup();
  void listen();
  void pushed(const RedisReply& reply);
  void cancel(const std::string& job_id);
  [[nodiscard]] std::shared_ptr<RedisContext> findRunning(const std::string& job_id) const;
  void recheckCancelled();

  // Reading jobs.
  void wantHistory();
  void readHistory(const std::string& after);
  void readJobs();
  void readFailed(const Error& why);
  void take(const RedisReply& entry, Delivery delivery);
  void check(const std::string& entry, const std::shared_ptr<JobEnvelope>& envelope);
  void deliver(const std::string& entry, JobEnvelope envelope);
  void refuse(const std::string& entry, prometheus::Counter* counter, const char* why);
  void answer(const std::string& entry, const JobEnvelope& envelope, const Error& error);
  [[nodiscard]] std::size_t inFlight() const;
  [[nodiscard]] std::size_t freeSlots() const;

  // Taking over from the dead.
  void watchOthers();
  void lookForLost();
  void adopt(const std::string& worker);
  void claimFrom(const std::string& worker);
  void claim(const std::string& worker, const RedisReply& pending);
  void buried(const std::string& worker);

  void again(std::chrono::milliseconds delay, void (RedisWorker::*method)());

  Reactor& reactor_;
  const RedisQueueOptions& options_;
  const JobQueue::ServeOptions serve_;
  const RedisKeys keys_;
  const std::string jobs_key_;
  Counters counters_;
  RedisClock clock_;
  std::unique_ptr<WorkerPresence> presence_;
  RedisConnectionPtr commands_, reader_, listener_;
  std::shared_ptr<RedisOutbox> outbox_;
  bool owner_ = false;  // the engine id is this host's
  bool owned_once_ = false;
  bool listening_ = false;  // cancellations arrive
  bool reading_ = false;
  bool history_wanted_ = false;  // once the read that is under way has ended
  Reactor::TimerId heartbeat_ = 0;
  bool closed_ = false;
  std::size_t checking_ = 0;
  std::map<std::string, UniqueFd> dead_;  // workers being taken over, by name, with their locks
  std::unordered_map<std::string, Reactor::Clock::time_point> recent_cancels_;

  Mutex deliver_mutex_;  // held over deliver_, so that stop() can wait for it
  Deliver deliver_ FLO_GUARDED_BY(deliver_mutex_);
  std::atomic<bool> stopped_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<bool> full_{false};  // reading waits for a free slot

  mutable Mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<RedisContext>> running_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla
