#include "common/queue/dead_workers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/log/log.h"

namespace flotilla {
namespace {

constexpr std::chrono::milliseconds kLook{200};
constexpr std::size_t kMostClaimed = 64;

}  // namespace

DeadWorkers::DeadWorkers(EngineSide& side, const EngineOwnership& ownership,
                         JobAdmission& admission, std::unique_ptr<WorkerPresence> presence)
    : side_(side), ownership_(ownership), admission_(admission), presence_(std::move(presence)) {
  if (side.options.metrics != nullptr) {
    claimed_ = &side.options.metrics->counter("flotilla_queue_claimed_jobs_total",
                                              "Jobs taken over from dead workers");
  }
}

void DeadWorkers::close() {
  adopted_.clear();
  presence_.reset();
}

/// The kernel lets go of a dead worker's lock; nobody sends word of it.
void DeadWorkers::watch() {
  side_.after(kLook, [this] { watch(); });
  if (!ownership_.owned() || side_.stopped || !side_.commands->ready()) {
    return;
  }
  for (const std::string& worker : presence_->others()) {
    adopt(worker);
  }
}

void DeadWorkers::lookForLost() {
  if (side_.stopped) {
    return;
  }
  side_.ask({"XPENDING", side_.jobs_key, RedisKeys::kGroup},
            [this](const Result<RedisReply>& reply) {
              if (!reply || reply->elements.size() != 4) {
                return;
              }
              for (const RedisReply& consumer : reply->elements[3].elements) {
                if (!consumer.elements.empty()) {
                  adopt(consumer.elements[0].text);
                }
              }
            });
}

void DeadWorkers::adopt(const std::string& worker) {
  if (adopted_.contains(worker) || admission_.freeSlots() == 0) {
    return;
  }
  if (auto lock = presence_->takeOver(worker)) {
    log::info("a worker is gone; its jobs are taken over", {{"worker", worker}});
    adopted_.emplace(worker, *std::move(lock));
    if (side_.options.on_worker_gone) {
      side_.options.on_worker_gone();
    }
    claimFrom(worker);
  }
}

void DeadWorkers::claimFrom(const std::string& worker) {
  const std::string count = std::to_string(std::min(admission_.freeSlots(), kMostClaimed));
  if (count == "0") {
    adopted_.erase(worker);  // for the next look, by whoever has room then
    return;
  }
  side_.ask({"XPENDING", side_.jobs_key, RedisKeys::kGroup, "-", "+", count, worker},
            [this, worker](const Result<RedisReply>& reply) {
              if (reply && !reply->elements.empty()) {
                return claim(worker, *reply);
              }
              if (reply || isRedisError(reply.error(), "NOGROUP")) {
                return bury(worker);
              }
              adopted_.erase(worker);
            });
}

void DeadWorkers::claim(const std::string& worker, const RedisReply& pending) {
  RedisConnection::Arguments arguments{"XCLAIM", side_.jobs_key, RedisKeys::kGroup, side_.worker,
                                       "0"};
  for (const RedisReply& entry : pending.elements) {
    if (!entry.elements.empty()) {
      arguments.push_back(entry.elements[0].text);
    }
  }
  side_.ask(arguments, [this, worker](const Result<RedisReply>& reply) {
    if (!reply) {
      adopted_.erase(worker);
      return;
    }
    for (const RedisReply& entry : reply->elements) {
      if (claimed_ != nullptr) {
        claimed_->Increment();
      }
      admission_.take(entry, Delivery::Again);
    }
    claimFrom(worker);
  });
}

/// It has nothing left.
void DeadWorkers::bury(const std::string& worker) {
  side_.tell({"XGROUP", "DELCONSUMER", side_.jobs_key, RedisKeys::kGroup, worker});
  if (auto found = adopted_.find(worker); found != adopted_.end()) {
    presence_->bury(worker, std::move(found->second));
    adopted_.erase(found);
  }
}

}  // namespace flotilla
