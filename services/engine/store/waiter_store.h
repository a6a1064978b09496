#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/store/database.h"

namespace flotilla::engine {

enum class WaitCondition { NotRunning, NextExit, Removed };

std::string_view conditionName(WaitCondition condition);  // "not-running", "next-exit", "removed"
/// "" is NotRunning. nullopt: unknown.
std::optional<WaitCondition> conditionFromName(std::string_view name);

struct WaitAnswer {
  std::string job;
  int exit_code = 0;
  std::string error;
};

/// One client's wait. It is answered in the transaction that makes its condition true, so that a
/// worker that takes the job over finds the answer in the row, whatever happened to the container
/// since (decisions.md 1).
struct WaiterRow {
  std::string job, container;
  WaitCondition condition = WaitCondition::NotRunning;
  std::uint64_t position = 0;  // journal position at registration
  std::optional<WaitAnswer> answer;
};

Result<std::optional<WaiterRow>> findWaiter(Transaction& transaction, const std::string& job);
Result<void> insertWaiter(Transaction& transaction, const WaiterRow& row, std::int64_t now_ns);
Result<void> deleteWaiter(Transaction& transaction, const std::string& job);

/// Answers the unanswered waiters of `container` for one of `conditions`; returns whom.
Result<std::vector<WaitAnswer>> answerWaiters(Transaction& transaction,
                                              const std::string& container,
                                              const std::vector<WaitCondition>& conditions,
                                              int exit_code, const std::string& error);
/// Rows registered before `before_ns` that were answered: nobody will ask for them again.
Result<void> expireWaiters(Transaction& transaction, std::int64_t before_ns);

}  // namespace flotilla::engine
