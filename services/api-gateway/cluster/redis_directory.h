#pragma once

#include <map>
#include <memory>
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
  // Owners by key of reservations that Redis, being away, may have and was not told to end. Shared
  // with answers that come later.
  using Owners = std::map<std::string, std::string>;
  const std::shared_ptr<Owners> lost_ = std::make_shared<Owners>();
};

}  // namespace flotilla::gateway
