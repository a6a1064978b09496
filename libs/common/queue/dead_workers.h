#pragma once

#include <map>
#include <memory>
#include <string>

#include "common/os/unique_fd.h"
#include "common/queue/engine_ownership.h"
#include "common/queue/job_admission.h"
#include "common/queue/redis_side.h"
#include "common/queue/worker_presence.h"

namespace flotilla {

/// Takes over the jobs of dead workers of this host, as far as there is room for them; what is more
/// is left to others, or to later. On the reactor's thread.
class DeadWorkers {
 public:
  DeadWorkers(EngineSide& side, const EngineOwnership& ownership, JobAdmission& admission,
              std::unique_ptr<WorkerPresence> presence);

  void start() { watch(); }
  /// This worker is none of the living from now on.
  void close();
  /// Looks for workers that Redis knows and whose lock file is gone (a reboot empties its folder).
  void lookForLost();

 private:
  void watch();
  void adopt(const std::string& worker);
  void claimFrom(const std::string& worker);
  void claim(const std::string& worker, const RedisReply& pending);
  void bury(const std::string& worker);

  EngineSide& side_;
  const EngineOwnership& ownership_;
  JobAdmission& admission_;
  std::unique_ptr<WorkerPresence> presence_;
  std::map<std::string, UniqueFd> adopted_;  // by name, with their locks
  prometheus::Counter* claimed_ = nullptr;
};

}  // namespace flotilla
