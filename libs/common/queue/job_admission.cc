#include "common/queue/job_admission.h"

#include <cstdint>
#include <string_view>
#include <utility>

#include "common/log/log.h"
#include "common/queue/queue_errors.h"

namespace flotilla {
namespace {

constexpr std::int64_t kFreshMs = 1'000;            // younger jobs have a living gateway
constexpr std::int64_t kClockToleranceMs = 60'000;  // a job from further in the future is not ours

/// The value of a field in an entry's flat list, nothing when it has none.
std::string_view field(const RedisReply& fields, std::string_view name) {
  for (std::size_t i = 0; i + 1 < fields.elements.size(); i += 2) {
    if (fields.elements[i].text == name) {
      return fields.elements[i + 1].text;
    }
  }
  return {};
}

}  // namespace

JobAdmission::JobAdmission(EngineSide& side, Parts parts, Hooks hooks)
    : side_(side), parts_(parts), hooks_(std::move(hooks)) {
  if (Metrics* metrics = side.options.metrics) {
    const auto refused = [metrics](const char* reason) {
      return &metrics->counter("flotilla_queue_refused_jobs_total",
                               "Jobs a worker did not start, by reason", {{"reason", reason}});
    };
    counters_ = {.forged = refused("forged"),
                 .foreign = refused("foreign"),
                 .expired = refused("expired"),
                 .orphaned = refused("gateway gone")};
  }
}

std::size_t JobAdmission::freeSlots() const {
  const std::size_t busy = parts_.running.size() + checking_.size();
  return busy < side_.max_in_flight ? side_.max_in_flight - busy : 0;
}

void JobAdmission::take(const RedisReply& entry, Delivery delivery) {
  if (entry.elements.size() != 2) {
    return;
  }
  const std::string& id = entry.elements[0].text;
  if (parts_.outbox.holds(id) || checking_.contains(id)) {
    return;  // done, and its reply is on the way; or being decided about
  }
  if (!entry.elements[1].isArray()) {
    return letGo(id);  // taken back by its gateway
  }
  auto envelope = open(id, entry.elements[1]);
  if (!envelope) {
    return;
  }
  const std::int64_t age = parts_.clock.nowMs() - envelope->issued_ms;
  if (age < -kClockToleranceMs) {
    return refuse(id, counters_.forged, "issued in the future");
  }
  if (isCopy(id, envelope->job.id)) {
    return;
  }
  if (delivery == Delivery::First && age > envelope->lifetime_ms) {
    if (counters_.expired != nullptr) {
      counters_.expired->Increment();
    }
    return answer(id, *envelope, notTakenInTime());
  }
  if (parts_.cancels.takeRecent(envelope->job.id)) {
    return answer(id, *envelope, clientGone());
  }
  if (delivery == Delivery::Again || age > kFreshMs || !parts_.cancels.listening()) {
    return check(id, std::make_shared<JobEnvelope>(*std::move(envelope)));
  }
  hooks_.deliver(id, *std::move(envelope));
}

std::optional<JobEnvelope> JobAdmission::open(const std::string& entry, const RedisReply& fields) {
  const std::string_view text = field(fields, "job");
  if (!side_.options.key.verify(kJobPurpose, text, field(fields, "mac"))) {
    refuse(entry, counters_.forged, "not signed with the cluster's key");
    return std::nullopt;
  }
  auto decoded = decodeJob(text);
  if (!decoded || decoded->engine_id != side_.engine_id) {
    refuse(entry, counters_.foreign, decoded ? "meant for another engine" : "of another version");
    return std::nullopt;
  }
  return *std::move(decoded);
}

bool JobAdmission::isCopy(const std::string& entry, const std::string& job_id) {
  const auto context = parts_.running.find(job_id);
  if (context && context->entry() != entry) {
    letGo(entry);  // its gateway did not know whether it had been sent
  }
  return context != nullptr;
}

/// Is anybody still interested? Asked about jobs that are not fresh.
void JobAdmission::check(const std::string& entry, const std::shared_ptr<JobEnvelope>& envelope) {
  checking_.insert(entry);
  auto cancelled = std::make_shared<bool>(false);  // shared by the two answers
  side_.ask(
      {"EXISTS", side_.keys.cancelled(envelope->job.id)},
      [cancelled](const Result<RedisReply>& reply) { *cancelled = reply && reply->integer == 1; });
  side_.ask({"EXISTS", side_.keys.gateway(envelope->gateway_id)},
            [this, entry, envelope, cancelled](const Result<RedisReply>& reply) {
              checking_.erase(entry);
              if (reply) {
                checked(entry, *envelope, *cancelled, reply->integer == 0);
              } else {
                hooks_.undecided();  // it stays this worker's and comes back with its history
              }
              hooks_.slot_freed();
            });
}

void JobAdmission::checked(const std::string& entry, JobEnvelope& envelope, bool cancelled,
                           bool orphaned) {
  if (cancelled) {
    answer(entry, envelope, clientGone());
  } else if (orphaned) {
    refuse(entry, counters_.orphaned, "its gateway is gone");
  } else if (!isCopy(entry, envelope.job.id)) {  // another may have been delivered meanwhile
    hooks_.deliver(entry, std::move(envelope));
  }
}

void JobAdmission::refuse(const std::string& entry, prometheus::Counter* counter, const char* why) {
  if (counter != nullptr) {
    counter->Increment();
  }
  log::warning("a job was refused",
               {{"entry", entry}, {"engine", side_.engine_id}, {"reason", why}});
  letGo(entry);
}

void JobAdmission::answer(const std::string& entry, const JobEnvelope& envelope,
                          const Error& error) {
  parts_.outbox.add({envelope.gateway_id,
                     encodeReply(side_.options.key, envelope.job.id, JobResult(error)), entry});
}

}  // namespace flotilla
