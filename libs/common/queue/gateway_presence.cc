#include "common/queue/gateway_presence.h"

#include <chrono>

namespace flotilla {
namespace {

constexpr std::chrono::seconds kPresenceRenewal{5};

}  // namespace

void GatewayPresence::connected() {
  side_.reactor.cancelTimer(next_heartbeat_);  // of an earlier connection
  heartbeat();
  for (const auto& [engine_id, job_id] : std::exchange(unsent_, {})) {
    cancel(engine_id, job_id);
  }
}

void GatewayPresence::heartbeat() {
  side_.tell({"SET", side_.keys.gateway(side_.gateway_id), "1", "PX", RedisKeys::kGatewayLifetime});
  side_.ask({"TIME"}, [this](const Result<RedisReply>& reply) {
    if (reply) {
      clock_.heard(*reply);
    }
  });
  next_heartbeat_ = side_.after(kPresenceRenewal, [this] {
    if (side_.commands->ready()) {
      heartbeat();
    }
  });
}

/// The key for those who do not listen now, the message for those who do.
void GatewayPresence::cancel(const std::string& engine_id, const std::string& job_id) {
  if (!side_.commands->ready()) {
    unsent_.emplace_back(engine_id, job_id);
    return;
  }
  side_.tell({"SET", side_.keys.cancelled(job_id), "1", "PX", RedisKeys::kCancelLifetime});
  side_.tell({"PUBLISH", side_.keys.cancelChannel(engine_id), job_id});
}

}  // namespace flotilla
