#include "common/queue/cancel_listener.h"

#include <chrono>

#include "common/log/log.h"

namespace flotilla {
namespace {

constexpr std::chrono::seconds kKeepCancels{60};

}  // namespace

CancelListener::CancelListener(EngineSide& side, RunningJobs& running)
    : side_(side),
      running_(running),
      listener_(side.connection(
          "listener", side.worker,
          {.on_ready = side.guard([this] {
             listener_->send({"SUBSCRIBE", side_.keys.cancelChannel(side_.engine_id)}, nullptr);
           }),
           .on_lost = side.guard([this](const Error&) { listening_ = false; }),
           .on_push = side.guard([this](const RedisReply& reply) { pushed(reply); })})) {}

void CancelListener::pushed(const RedisReply& reply) {
  if (reply.type == RedisReply::Type::Error) {
    log::error("cancellations are not heard", {{"error", reply.text}});
    return;
  }
  if (reply.elements.size() != 3) {
    return;
  }
  if (reply.elements[0].text == "message") {
    cancel(reply.elements[2].text);
  } else if (reply.elements[0].text == "subscribe") {
    listening_ = true;
    recheck();
  }
}

void CancelListener::cancel(const std::string& job_id) {
  if (const auto context = running_.find(job_id)) {
    context->cancel();
  } else {
    remember(job_id);  // it may be on its way here
  }
}

void CancelListener::remember(const std::string& job_id) {
  const auto now = Reactor::Clock::now();
  if (now - forgot_ > kKeepCancels) {
    forgot_ = now;
    std::erase_if(recent_,
                  [now](const auto& cancel) { return now - cancel.second > kKeepCancels; });
  }
  recent_[job_id] = now;
}

/// What was cancelled while nobody listened. Both connections are needed for that, and either may
/// come back first.
void CancelListener::recheck() {
  if (!listening_ || !side_.commands->ready()) {
    return;
  }
  for (const std::string& id : running_.ids()) {
    side_.ask({"EXISTS", side_.keys.cancelled(id)}, [this, id](const Result<RedisReply>& reply) {
      if (reply && reply->integer == 1) {
        cancel(id);
      }
    });
  }
}

}  // namespace flotilla
