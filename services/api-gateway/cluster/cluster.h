#pragma once

#include "api-gateway/cluster/engine_client.h"
#include "common/error/result.h"
#include "common/job/job.h"

namespace flotilla::gateway {

/// The engines behind the gateway, as one Docker host to its clients. Thread-safe.
class Cluster {
 public:
  virtual ~Cluster() = default;

  /// The engine that is to do `job`: the one that holds the objects it names, or the one chosen for
  /// a new one. The reference lives as long as the cluster. Errors: NotFound, Unavailable.
  virtual Result<EngineClient*> engineFor(const Job& job) = 0;
};

}  // namespace flotilla::gateway
