#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "common/queue/cancel_listener.h"
#include "common/queue/job_message.h"
#include "common/queue/job_reader.h"
#include "common/queue/redis_clock.h"
#include "common/queue/redis_outbox.h"
#include "common/queue/redis_side.h"
#include "common/queue/running_jobs.h"

namespace flotilla {

/// Decides about every entry that was read: deliver it, answer it here, or let it go. On the
/// reactor's thread.
class JobAdmission {
 public:
  struct Parts {
    const RunningJobs& running;
    const RedisClock& clock;
    CancelListener& cancels;
    RedisOutbox& outbox;
  };
  struct Hooks {
    std::function<void(const std::string& entry, JobEnvelope)> deliver;
    std::function<void()> undecided;  // an entry must be read again
    std::function<void()> slot_freed;
  };

  JobAdmission(EngineSide& side, Parts parts, Hooks hooks);

  void take(const RedisReply& entry, Delivery delivery);
  /// How many more jobs there is room for, those counted that are being decided about.
  [[nodiscard]] std::size_t freeSlots() const;

 private:
  struct Counters {
    prometheus::Counter *forged = nullptr, *foreign = nullptr, *expired = nullptr,
                        *orphaned = nullptr;
  };

  /// What is signed and meant for this engine; all else is refused.
  std::optional<JobEnvelope> open(const std::string& entry, const RedisReply& fields);
  /// Whether the job runs here already: one answer is enough for all its entries.
  bool isCopy(const std::string& entry, const std::string& job_id);
  void check(const std::string& entry, const std::shared_ptr<JobEnvelope>& envelope);
  void checked(const std::string& entry, JobEnvelope& envelope, bool cancelled, bool orphaned);
  void refuse(const std::string& entry, prometheus::Counter* counter, const char* why);
  void answer(const std::string& entry, const JobEnvelope& envelope, const Error& error);
  void letGo(const std::string& entry) { parts_.outbox.add({"", "", entry}); }

  EngineSide& side_;
  const Parts parts_;
  const Hooks hooks_;
  Counters counters_;
  std::unordered_set<std::string> checking_;  // entries
};

}  // namespace flotilla
