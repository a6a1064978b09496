#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/job/job.h"
#include "engine/store/database.h"
#include "engine/store/wall_clock.h"

namespace flotilla::engine {

/// Remembers what jobs came to, so that a job that is delivered twice takes effect once
/// (decisions.md 5): take() before the effect, finish() in the transaction of the effect. A worker
/// that was paused and whose job another worker took cannot finish it any more. Thread-safe.
class JobLedger {
 public:
  struct Taken {
    std::int64_t epoch = 0;           // of this attempt
    std::optional<JobOutput> result;  // the job is done already: answer this
    bool again = false;               // an earlier attempt did not finish: look at the world first
  };

  /// For jobs that several workers may get (LedgerGuard).
  struct Claim {
    std::string job_id;
    std::string owner;       // the worker that claims
    std::string before;      // what it found; kept when it is the first
    std::string dead_owner;  // a worker known to be dead, whose claim this one replaces; "" = none
  };
  struct Claimed {
    std::int64_t epoch = 0;
    std::optional<JobResult> result;  // done already: answer this
    std::string busy_owner;           // "" or the worker that has it; nothing was claimed then
    bool again = false;               // an earlier attempt did not finish
    std::string before;               // what the first attempt found
  };

  JobLedger(Database& database, WallClock clock) : database_(database), clock_(std::move(clock)) {}

  /// Inside a write. An empty id (a caller that is not a job) is always new.
  Result<Taken> take(Transaction& transaction, const std::string& job_id) const;
  /// Inside the write that makes the effect. Errors: Conflict when another worker has the job.
  Result<void> finish(Transaction& transaction, const std::string& job_id, std::int64_t epoch,
                      const JobOutput& result) const;
  /// Inside a write.
  Result<Claimed> claim(Transaction& transaction, const Claim& claim) const;
  /// The end of a claimed job, inside a write. Errors: Conflict when another worker has the job.
  Result<void> settle(Transaction& transaction, const std::string& job_id, std::int64_t epoch,
                      const JobResult& result) const;
  /// What a settled or finished job came to. Nothing while it is not done, or not known.
  Result<std::optional<JobResult>> find(Transaction& transaction, const std::string& job_id) const;
  /// Forgets results older than ten minutes.
  Result<void> expire();

 private:
  Database& database_;
  WallClock clock_;
};

}  // namespace flotilla::engine
