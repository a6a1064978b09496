#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api-gateway/cluster/cluster_settings.h"
#include "api-gateway/cluster/engine_client.h"
#include "common/queue/redis_queue.h"

namespace flotilla::gateway {

/// A gateway's whole way to a cluster: discovery, the directory in Redis, the queue to every
/// engine, and the SwarmCluster that makes one engine of them. Made and destroyed on the reactor's
/// thread, or while it does not run.
class ClusterEndpoint {
 public:
  /// What reactor, queue and settings are outlives it. `redis` is the queue's, `cluster` its name
  /// there; streams that the gateway itself makes meet their clients in `run_folder`, which is made
  /// if need be. Errors: InvalidArgument (settings), what keeps the folder from being used.
  static Result<std::unique_ptr<ClusterEndpoint>> create(const ClusterSettings& settings,
                                                         const RedisTarget& redis,
                                                         const std::string& cluster,
                                                         const std::string& run_folder,
                                                         Reactor& reactor, JobQueue& queue);
  virtual ~ClusterEndpoint() = default;

  /// What does the jobs.
  [[nodiscard]] virtual EngineClient& client() = 0;
  /// Begins to watch. `ready` runs once: when every host that discovery lists was validated or
  /// refused, or after 5 s (requests are answered then by what is known, decisions.md 21).
  virtual void start(std::function<void()> ready) = 0;
};

}  // namespace flotilla::gateway
