#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/event/reactor.h"
#include "common/os/mutex.h"
#include "common/queue/redis_keys.h"
#include "common/redis/redis_connection.h"

namespace flotilla {

/// What a worker tells gateways: messages wait here until Redis has them. All that waits in one
/// round of the reactor leaves in one MULTI: replies first, then the entries of finished jobs go,
/// so that no entry ever goes without its reply. A batch whose fate is not known is sent again;
/// gateways ignore what they know.
class RedisOutbox : public std::enable_shared_from_this<RedisOutbox> {
 public:
  struct Item {
    std::string gateway;  // "" = no message, the entry just goes
    std::string message;
    std::string entry;  // "" = the job goes on
  };

  RedisOutbox(Reactor& reactor, RedisKeys keys, const std::string& engine_id)
      : reactor_(reactor), keys_(std::move(keys)), jobs_key_(keys_.jobs(engine_id)) {}

  // Any thread:
  void add(Item item);
  /// Whether the entry's job is done and its reply waits here.
  [[nodiscard]] bool holds(const std::string& entry) const;
  [[nodiscard]] bool empty() const;

  // On the reactor's thread:
  void setConnection(RedisConnectionPtr connection) { connection_ = std::move(connection); }
  /// The connection is ready: what waits leaves.
  void connected() { flush(); }
  void close();

 private:
  struct Batch {
    std::vector<Item> items;
    std::string refusal;  // of one of its commands, by name; EXEC only says that there was one
  };

  void flush();
  void sendBatch(const std::shared_ptr<Batch>& batch);
  void answered(const std::shared_ptr<Batch>& batch, const Result<RedisReply>& reply);

  Reactor& reactor_;
  const RedisKeys keys_;
  const std::string jobs_key_;
  RedisConnectionPtr connection_;
  Reactor::TimerId retry_ = 0;
  bool closed_ = false;
  mutable Mutex mutex_;
  std::vector<Item> waiting_ FLO_GUARDED_BY(mutex_);
  std::size_t under_way_ FLO_GUARDED_BY(mutex_) = 0;                // batches
  std::unordered_set<std::string> entries_ FLO_GUARDED_BY(mutex_);  // of all here and under way
  std::size_t returned_ FLO_GUARDED_BY(mutex_) = 0;  // items in front that were under way before
};

}  // namespace flotilla
