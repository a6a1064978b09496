#include "common/queue/engine_ownership.h"

#include <chrono>
#include <utility>

#include "common/log/log.h"

namespace flotilla {
namespace {

constexpr std::chrono::seconds kOwnerRenewal{3};

}  // namespace

void EngineOwnership::heartbeat() {
  if (!side_.commands->ready()) {
    return;  // the next connection begins anew
  }
  side_.ask({"TIME"}, [this](const Result<RedisReply>& reply) {
    if (reply) {
      clock_.heard(*reply);
    }
  });
  side_.ask({"SET", side_.keys.owner(side_.engine_id), side_.options.host_identity, "NX", "GET",
             "PX", RedisKeys::kOwnerLifetime},
            [this](const Result<RedisReply>& reply) { ownerKnown(reply); });
}

void EngineOwnership::ownerKnown(const Result<RedisReply>& reply) {
  side_.reactor.cancelTimer(next_heartbeat_);  // of an earlier connection
  next_heartbeat_ = side_.after(kOwnerRenewal, [this] { heartbeat(); });
  if (!reply) {
    if (side_.commands->ready()) {
      log::error("the queue cannot be served", {{"error", reply.error().message()}});
    }
    return;
  }
  if (!reply->isNil() && reply->text != side_.options.host_identity) {
    owned_ = false;
    return refused(reply->text);
  }
  side_.tell({"PEXPIRE", side_.keys.owner(side_.engine_id), RedisKeys::kOwnerLifetime});
  side_.tell({"PEXPIRE", side_.jobs_key, RedisKeys::kJobsLifetime});
  if (!std::exchange(owned_, true)) {
    hooks_.on_gained();
    if (!std::exchange(owned_once_, true) && side_.options.on_owned) {
      side_.options.on_owned();
    }
  }
  hooks_.on_confirmed();
}

void EngineOwnership::refused(const std::string& owner) {
  const Error why{ErrorKind::Conflict,
                  "engine " + side_.engine_id + " is served by another host (" + owner +
                      "; this one is " + side_.options.host_identity + "): was it cloned?"};
  log::error("the queue is not served", {{"error", why.message()}});
  if (side_.options.on_refused) {
    side_.options.on_refused(why);
  }
}

}  // namespace flotilla
