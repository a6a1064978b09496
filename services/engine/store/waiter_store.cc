#include "engine/store/waiter_store.h"

#include <utility>

namespace flotilla::engine {

std::string_view conditionName(WaitCondition condition) {
  switch (condition) {
    case WaitCondition::NotRunning:
      return "not-running";
    case WaitCondition::NextExit:
      return "next-exit";
    case WaitCondition::Removed:
      return "removed";
  }
  return "not-running";
}

std::optional<WaitCondition> conditionFromName(std::string_view name) {
  if (name.empty() || name == "not-running") {
    return WaitCondition::NotRunning;
  }
  if (name == "next-exit") {
    return WaitCondition::NextExit;
  }
  if (name == "removed") {
    return WaitCondition::Removed;
  }
  return std::nullopt;
}

Result<std::optional<WaiterRow>> findWaiter(Transaction& transaction, const std::string& job) {
  FLO_TRY_ASSIGN(
      auto select,
      transaction.prepare("SELECT container, condition, position, answered, exit_code, error"
                          " FROM waiters WHERE job = ?"));
  select.bind(job);
  FLO_TRY_ASSIGN(const bool found, select.step());
  if (!found) {
    return std::optional<WaiterRow>();
  }
  WaiterRow row;
  row.job = job;
  row.container = select.text(0);
  row.condition = conditionFromName(select.view(1)).value_or(WaitCondition::NotRunning);
  row.position = static_cast<std::uint64_t>(select.integer(2));
  if (select.integer(3) != 0) {
    row.answer = WaitAnswer{job, static_cast<int>(select.integer(4)), select.text(5)};
  }
  return std::optional<WaiterRow>(std::move(row));
}

Result<void> insertWaiter(Transaction& transaction, const WaiterRow& row, std::int64_t now_ns) {
  FLO_TRY_ASSIGN(auto insert,
                 transaction.prepare("INSERT INTO waiters(job, container, condition, position,"
                                     " registered_ns) VALUES(?,?,?,?,?)"));
  return insert.bind(row.job)
      .bind(row.container)
      .bind(conditionName(row.condition))
      .bind(static_cast<std::int64_t>(row.position))
      .bind(now_ns)
      .run();
}

Result<void> deleteWaiter(Transaction& transaction, const std::string& job) {
  FLO_TRY_ASSIGN(auto remove, transaction.prepare("DELETE FROM waiters WHERE job = ?"));
  return remove.bind(job).run();
}

Result<std::vector<WaitAnswer>> answerWaiters(Transaction& transaction,
                                              const std::string& container,
                                              const std::vector<WaitCondition>& conditions,
                                              int exit_code, const std::string& error) {
  std::vector<WaitAnswer> answers;
  for (const WaitCondition condition : conditions) {
    FLO_TRY_ASSIGN(
        auto update,
        transaction.prepare("UPDATE waiters SET answered = 1, exit_code = ?, error = ? WHERE"
                            " container = ? AND condition = ? AND answered = 0"
                            " RETURNING job"));
    update.bind(exit_code).bind(error).bind(container).bind(conditionName(condition));
    while (true) {
      FLO_TRY_ASSIGN(const bool row, update.step());
      if (!row) {
        break;
      }
      answers.push_back({update.text(0), exit_code, error});
    }
  }
  return answers;
}

Result<void> expireWaiters(Transaction& transaction, std::int64_t before_ns) {
  FLO_TRY_ASSIGN(auto remove, transaction.prepare(
                                  "DELETE FROM waiters WHERE answered = 1 AND registered_ns < ?"));
  return remove.bind(before_ns).run();
}

}  // namespace flotilla::engine
