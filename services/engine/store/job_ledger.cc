#include "engine/store/job_ledger.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace flotilla::engine {
namespace {

using nlohmann::json;

constexpr std::int64_t kResultKeptNs = 600LL * 1'000'000'000LL;
constexpr std::int64_t kLostJobKeptNs =
    86'400LL * 1'000'000'000LL;  // of jobs whose gateway never asked again

std::string ledgerText(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string encodeResult(const JobResult& result) {
  if (result) {
    return ledgerText({{"body", result->body}, {"env", result->env.values()}});
  }
  return ledgerText(
      {{"error", kindName(result.error().kind())}, {"message", result.error().message()}});
}

JobResult decodeResult(std::string_view stored) {
  const json document = json::parse(stored, nullptr, false);
  if (!document.is_object()) {
    return Error{ErrorKind::Internal, "the stored result of a job cannot be read"};
  }
  if (document.contains("error")) {
    return Error{kindFromName(document.value("error", "")), document.value("message", "")};
  }
  JobOutput output;
  output.body = document.value("body", "");
  const json env = document.value("env", json::object());  // a temporary would not outlive items()
  for (const auto& [key, value] : env.items()) {
    output.env.set(key, value.is_string() ? value.get<std::string>() : "");
  }
  return output;
}

}  // namespace

Result<JobLedger::Taken> JobLedger::take(Transaction& transaction,
                                         const std::string& job_id) const {
  Taken taken;
  if (job_id.empty()) {
    return taken;
  }
  FLO_TRY_ASSIGN(
      auto upsert,
      transaction.prepare("INSERT INTO jobs(id, epoch, state, result, finished_ns)"
                          " VALUES(?, 1, 'taken', '', ?) ON CONFLICT(id) DO UPDATE SET epoch"
                          " = epoch + (state = 'taken') RETURNING epoch, state, result"));
  upsert.bind(job_id).bind(clock_());
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

Result<void> JobLedger::finish(Transaction& transaction, const std::string& job_id,
                               std::int64_t epoch, const JobOutput& result) const {
  if (job_id.empty()) {
    return {};
  }
  FLO_TRY_ASSIGN(
      auto update,
      transaction.prepare("UPDATE jobs SET state = 'done', result = ?, finished_ns = ? WHERE"
                          " id = ? AND epoch = ? AND state = 'taken'"));
  FLO_TRY(update.bind(result.body).bind(clock_()).bind(job_id).bind(epoch).run());
  if (transaction.changes() != 1) {
    return Error{ErrorKind::Conflict, "job " + job_id + " was taken over by another worker"};
  }
  return {};
}

Result<JobLedger::Claimed> JobLedger::claim(Transaction& transaction, const Claim& claim) const {
  Claimed claimed;
  FLO_TRY_ASSIGN(
      auto select,
      transaction.prepare("SELECT epoch, state, result, owner, before FROM jobs WHERE id = ?"));
  select.bind(claim.job_id);
  FLO_TRY_ASSIGN(const bool known, select.step());
  claimed.epoch = known ? select.integer(0) + 1 : 1;
  claimed.again = known;
  claimed.before = known ? select.text(4) : claim.before;
  const std::string owner = known ? select.text(3) : "";
  if (known && select.view(1) != "taken") {
    claimed.result = select.view(1) == "settled" ? decodeResult(select.view(2))
                                                 : JobResult(JobOutput{select.text(2), {}});
    return claimed;
  }
  if (known && owner != claim.owner && owner != claim.dead_owner) {
    claimed.busy_owner = owner;
    return claimed;
  }
  // finished_ns is the time of the claim until the job is done.
  FLO_TRY_ASSIGN(
      auto upsert,
      transaction.prepare("INSERT INTO jobs(id, epoch, state, result, finished_ns, owner, before)"
                          " VALUES(?, ?, 'taken', '', ?, ?, ?) ON CONFLICT(id) DO UPDATE SET"
                          " epoch = excluded.epoch, owner = excluded.owner"));
  FLO_TRY(upsert.bind(claim.job_id)
              .bind(claimed.epoch)
              .bind(clock_())
              .bind(claim.owner)
              .bind(claimed.before)
              .run());
  return claimed;
}

Result<void> JobLedger::settle(Transaction& transaction, const std::string& job_id,
                               std::int64_t epoch, const JobResult& result) const {
  FLO_TRY_ASSIGN(
      auto update,
      transaction.prepare("UPDATE jobs SET state = 'settled', result = ?, finished_ns = ? WHERE"
                          " id = ? AND epoch = ? AND state = 'taken'"));
  FLO_TRY(update.bind(encodeResult(result)).bind(clock_()).bind(job_id).bind(epoch).run());
  if (transaction.changes() != 1) {
    return Error{ErrorKind::Conflict, "job " + job_id + " was taken over by another worker"};
  }
  return {};
}

Result<std::optional<JobResult>> JobLedger::find(Transaction& transaction,
                                                 const std::string& job_id) const {
  FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT state, result FROM jobs WHERE id = ?"));
  select.bind(job_id);
  FLO_TRY_ASSIGN(const bool known, select.step());
  std::optional<JobResult> result;
  if (known && select.view(0) == "settled") {
    result = decodeResult(select.view(1));
  } else if (known && select.view(0) == "done") {
    result = JobResult(JobOutput{select.text(1), {}});
  }
  return result;
}

Result<void> JobLedger::expire() {
  return database_.write(Durability::Relaxed, [this](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto remove,
                   transaction.prepare("DELETE FROM jobs WHERE finished_ns < ? AND (state !="
                                       " 'taken' OR finished_ns < ?)"));
    return remove.bind(clock_() - kResultKeptNs).bind(clock_() - kLostJobKeptNs).run();
  });
}

}  // namespace flotilla::engine
