#pragma once

#include <deque>
#include <string>
#include <utility>

#include "common/queue/redis_clock.h"
#include "common/queue/redis_side.h"

namespace flotilla {

/// Shows that this gateway lives, without which workers drop what waits for it; and tells which of
/// its clients do not wait any more. On the reactor's thread.
class GatewayPresence {
 public:
  explicit GatewayPresence(GatewaySide& side) : side_(side) {}

  void connected();
  [[nodiscard]] const RedisClock& clock() const { return clock_; }
  /// The job is cancelled, wherever it is: now, or once Redis is back.
  void cancel(const std::string& engine_id, const std::string& job_id);

 private:
  void heartbeat();

  GatewaySide& side_;
  RedisClock clock_;
  Reactor::TimerId next_heartbeat_ = 0;
  std::deque<std::pair<std::string, std::string>> unsent_;  // engine and job, to be cancelled
};

}  // namespace flotilla
