#pragma once

#include <functional>
#include <string_view>

#include "common/queue/job_message.h"
#include "common/queue/redis_side.h"

namespace flotilla {

/// Reads what workers tell this gateway; what is not signed with the cluster's key is refused. On
/// the reactor's thread.
class ReplyReader {
 public:
  struct Hooks {
    std::function<void(JobReply)> on_reply;
    std::function<void()> on_ready;  // connected, again: what had been read meanwhile may be lost
  };

  ReplyReader(GatewaySide& side, Hooks hooks);

  void start() { connection_->start(); }
  void close() { connection_->close(); }
  [[nodiscard]] bool ready() const { return connection_->ready(); }

 private:
  void read();
  void received(const Result<RedisReply>& reply);
  void heard(std::string_view message);

  GatewaySide& side_;
  const Hooks hooks_;
  const RedisConnectionPtr connection_;
  prometheus::Counter* refused_ = nullptr;
};

}  // namespace flotilla
