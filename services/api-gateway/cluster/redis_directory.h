#pragma once

#include <string>

#include "api-gateway/cluster/engine_directory.h"
#include "common/queue/redis_keys.h"
#include "common/redis/redis_connection.h"

namespace flotilla::gateway {

/// The directory that gateways and engines share in Redis; keys: redis_keys.h.
class RedisDirectory final : public EngineDirectory {
 public:
  RedisDirectory(RedisConnectionPtr redis, const std::string& cluster)
      : redis_(std::move(redis)), keys_(cluster) {}

  void find(const std::string& address, std::function<void(Result<EngineIdentity>)> done) override;
  void reserveName(const std::string& name, const std::string& owner,
                   std::chrono::milliseconds lifetime,
                   std::function<void(Result<void>)> done) override;
  void releaseName(const std::string& name, const std::string& owner) override;

 private:
  const RedisConnectionPtr redis_;
  const RedisKeys keys_;
};

}  // namespace flotilla::gateway
