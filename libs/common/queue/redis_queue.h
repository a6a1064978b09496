#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/event/reactor.h"
#include "common/metrics/metrics.h"
#include "common/queue/cluster_key.h"
#include "common/queue/job_queue.h"
#include "common/redis/redis_connection.h"

namespace flotilla {

struct RedisQueueOptions {
  RedisTarget target;
  ClusterKey key;
  std::string cluster = "default";
  Metrics* metrics = nullptr;  // outlives the queue

  // Submitting.
  std::string gateway_id = {};     // "" = a random one; one process, one id
  std::size_t max_waiting = 8192;  // jobs of an engine that no worker has; beyond it submit refuses
  std::chrono::milliseconds default_lifetime = std::chrono::seconds(30);  // of jobs that bring none
  /// How long a job may wait for Redis, or for an engine that nobody serves.
  std::chrono::milliseconds patience = std::chrono::seconds(3);

  // Serving.
  std::string worker_id = {};       // "" = a random one
  std::string workers_folder = {};  // <run>/workers: the locks of the host's workers
  /// What makes this host's engine this one and not a clone's: machine, boot, state folder.
  std::string host_identity = {};
  /// The engine id is this host's, and its jobs are read. Once, on the reactor's thread.
  std::function<void()> on_owned = {};
  /// Another host serves this engine id, says the error; jobs are not read while that is so.
  std::function<void(const Error&)> on_refused = {};
  /// A worker of this host died, and this one takes over what it had. On the reactor's thread.
  std::function<void()> on_worker_gone = {};
};

/// Jobs over Redis Streams (keys: redis_keys.h; how failures go: docs/ARCHITECTURE.md). Callbacks
/// and `deliver` run on the reactor's thread. The reactor must outlive the queue and every context.
///
/// Beyond JobQueue: on_result is Unavailable, naming the queue, when Redis refuses or stays away;
/// the job may have been done then, and is not begun once its lifetime is over.
class RedisQueue final : public JobQueue {
 public:
  RedisQueue(Reactor& reactor, RedisQueueOptions options);
  ~RedisQueue() override;
  RedisQueue(const RedisQueue&) = delete;
  RedisQueue& operator=(const RedisQueue&) = delete;

  void submit(const std::string& engine_id, Job job, Callbacks callbacks) override;
  void cancel(const std::string& job_id) override;
  /// Errors: what makes the worker's lock impossible; AlreadyExists when this queue serves already.
  Result<std::unique_ptr<Subscription>> serve(ServeOptions options,
                                              std::function<void(JobContextPtr)> deliver) override;

  /// Names of the jobs delivered here and not completed. Any thread.
  [[nodiscard]] std::vector<std::string> running() const;
  /// Whether every reply of this worker has reached Redis. On the reactor's thread.
  [[nodiscard]] bool idle() const;
  /// What runs here is left to other workers: nothing more is said about it, and its entries wait
  /// for whoever takes this worker's place. Any thread.
  void abandon();
  /// Why Redis cannot be reached; empty while it can. On the reactor's thread.
  [[nodiscard]] Result<void> health() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace flotilla
