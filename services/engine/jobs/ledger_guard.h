#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/job/job.h"
#include "engine/store/container_catalog.h"
#include "engine/store/job_ledger.h"

namespace flotilla::engine {

/// Environment of container_start and container_restart as LedgerGuard hands them on after an
/// attempt that did not finish: the container's run number when the first one began. No query has
/// it.
inline constexpr const char* kFirstFoundRun = "first_found_run";

/// Lets a job that changes something take effect once, however often it is delivered and to how
/// many workers (decisions.md 5): one mechanism around all handlers.
///
/// Before the handler runs the job is claimed in the ledger, with what its container was like; its
/// result is settled there before it is told. A job seen again is answered from the ledger. One
/// whose worker died half-way runs again, and an error which only says that the first attempt had
/// done it already ("container already stopped") is the success that the first would have told. One
/// that a living worker has waits for that worker. Queries and waits pass: nothing is wrong with
/// doing them twice. Thread-safe; outlives the jobs.
class LedgerGuard : public std::enable_shared_from_this<LedgerGuard> {
 public:
  struct Parts {
    Database& database;
    const JobLedger& ledger;
    ContainerCatalog& catalog;
    Reactor& reactor;
    std::string worker;
    std::function<bool(const std::string& worker)> lives;  // does another worker live?
  };
  using Run = std::function<void(JobContextPtr)>;

  explicit LedgerGuard(Parts parts) : parts_(std::move(parts)) {}

  /// Calls `run` with the job, now or later, on any thread; or answers it itself.
  void admit(JobContextPtr context, Run run);

 private:
  class Context;
  void claim(const JobContextPtr& context, const Run& run, const std::string& dead_owner);
  void claimed(const JobContextPtr& context, const Run& run, const JobLedger::Claimed& claimed);
  void settle(const JobContextPtr& context, const JobLedger::Claimed& claimed, JobResult result);
  void answerAsSettled(const JobContextPtr& context);
  [[nodiscard]] std::string factsOf(const Job& job);

  Parts parts_;
};

}  // namespace flotilla::engine
