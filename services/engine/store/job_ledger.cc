#include "engine/store/job_ledger.h"

namespace flotilla::engine {
namespace {

constexpr std::int64_t kResultKeptNs = 600LL * 1'000'000'000LL;

}  // namespace

Result<JobLedger::Taken> JobLedger::take(Transaction& transaction, const std::string& job_id) const {
  Taken taken;
  if (job_id.empty()) {
    return taken;
  }
  FLO_TRY_ASSIGN(auto upsert,
                 transaction.prepare("INSERT INTO jobs(id, epoch, state, result, finished_ns)"
                                     " VALUES(?, 1, 'taken', '', 0) ON CONFLICT(id) DO UPDATE SET epoch"
                                     " = epoch + (state = 'taken') RETURNING epoch, state, result"));
  upsert.bind(job_id);
  FLO_TRY_ASSIGN(const bool row, upsert.step());
  if (!row) {
    return Error{ErrorKind::Internal, "job " + job_id + " has no row"};
  }
  taken.epoch = upsert.integer(0);
  if (upsert.view(1) == "done") {
    taken.result = JobOutput{upsert.text(2), {}};
  }
  taken.again = taken.epoch > 1;
  FLO_TRY(upsert.run());
  return taken;
}

Result<void> JobLedger::finish(Transaction& transaction, const std::string& job_id, std::int64_t epoch,
                               const JobOutput& result) const {
  if (job_id.empty()) {
    return {};
  }
  FLO_TRY_ASSIGN(auto update,
                 transaction.prepare("UPDATE jobs SET state = 'done', result = ?, finished_ns = ? WHERE"
                                     " id = ? AND epoch = ? AND state = 'taken'"));
  FLO_TRY(update.bind(result.body).bind(clock_()).bind(job_id).bind(epoch).run());
  if (transaction.changes() != 1) {
    return Error{ErrorKind::Conflict, "job " + job_id + " was taken over by another worker"};
  }
  return {};
}

Result<void> JobLedger::expire() {
  return database_.write(Durability::Relaxed, [this](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto remove,
                   transaction.prepare("DELETE FROM jobs WHERE state = 'done' AND finished_ns < ?"));
    return remove.bind(clock_() - kResultKeptNs).run();
  });
}

}  // namespace flotilla::engine
