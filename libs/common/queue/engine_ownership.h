#pragma once

#include <functional>

#include "common/queue/redis_clock.h"
#include "common/queue/redis_side.h"

namespace flotilla {

/// Claims an engine id for this host and keeps the keys that live by being renewed. A cloned host
/// finds another's identity and does not own the id. On the reactor's thread.
class EngineOwnership {
 public:
  struct Hooks {
    std::function<void()> on_gained;     // jobs may be read from now on
    std::function<void()> on_confirmed;  // and every few seconds while it stays so
  };

  EngineOwnership(EngineSide& side, Hooks hooks) : side_(side), hooks_(std::move(hooks)) {}

  /// Redis can be reached, again.
  void connected() { heartbeat(); }
  [[nodiscard]] bool owned() const { return owned_; }
  [[nodiscard]] const RedisClock& clock() const { return clock_; }

 private:
  void heartbeat();
  void ownerKnown(const Result<RedisReply>& reply);
  void refused(const std::string& owner);

  EngineSide& side_;
  const Hooks hooks_;
  RedisClock clock_;
  bool owned_ = false;
  bool owned_once_ = false;
  Reactor::TimerId next_heartbeat_ = 0;
};

}  // namespace flotilla
