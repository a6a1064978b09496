#include "engine/lifecycle/waiters.h"

#include <utility>

#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

constexpr std::int64_t kKeptNs = 600LL * 1'000'000'000LL;

}  // namespace

Result<void> Waiters::add(const std::string& job, const std::string& container,
                          WaitCondition condition, OnAnswer on_answer) {
  {
    // Before the row: the exit may commit, and fire, as soon as the row is there.
    const std::lock_guard lock(mutex_);
    callbacks_[job] = std::move(on_answer);
  }
  std::optional<WaitAnswer> answer;
  auto stored =
      parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
        FLO_TRY_ASSIGN(answer, store(transaction, {job, container, condition, 0, std::nullopt}));
        return {};
      });
  if (!stored) {
    const std::lock_guard lock(mutex_);
    callbacks_.erase(job);
    return stored;
  }
  if (answer) {
    fire({*answer});
  }
  return {};
}

Result<std::optional<WaitAnswer>> Waiters::store(Transaction& transaction,
                                                 const WaiterRow& wanted) {
  FLO_TRY_ASSIGN(const auto known, findWaiter(transaction, wanted.job));
  if (known) {
    return known->answer;
  }
  FLO_TRY_ASSIGN(auto state, findState(transaction, wanted.container));
  if (!state) {
    FLO_TRY_ASSIGN(const auto tombstone, findTombstone(transaction, wanted.container));
    if (!tombstone) {
      return Error{ErrorKind::NotFound, "No such container: " + wanted.container};
    }
    return std::optional<WaitAnswer>({wanted.job, tombstone->exit_code, tombstone->error});
  }
  if (wanted.condition == WaitCondition::NotRunning && !state->running()) {
    return std::optional<WaitAnswer>({wanted.job, state->exit_code, state->error});
  }
  WaiterRow row = wanted;
  row.position = state->journal_seq;
  FLO_TRY(insertWaiter(transaction, row, parts_.clock()));
  return std::optional<WaitAnswer>();
}

Result<std::optional<WaitAnswer>> Waiters::answerOfRemoved(const std::string& job,
                                                           const std::string& container,
                                                           WaitCondition condition) {
  std::optional<WaitAnswer> answer;
  FLO_TRY(parts_.database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(const auto known, findWaiter(transaction, job));
    if (known) {
      answer = known->answer;
      return {};
    }
    FLO_TRY_ASSIGN(const auto tombstone, findTombstone(transaction, container));
    if (tombstone && condition == WaitCondition::Removed) {
      answer = WaitAnswer{job, tombstone->exit_code, tombstone->error};
    }
    return {};
  }));
  return answer;
}

void Waiters::cancel(const std::string& job) {
  {
    const std::lock_guard lock(mutex_);
    callbacks_.erase(job);
  }
  parts_.database.writeAsync(
      Durability::Relaxed,
      [job](Transaction& transaction) { return deleteWaiter(transaction, job); },
      [](const Result<void>&) {});
}

void Waiters::fire(const std::vector<WaitAnswer>& answers) {
  for (const WaitAnswer& answer : answers) {
    OnAnswer callback;
    {
      const std::lock_guard lock(mutex_);
      auto node = callbacks_.extract(answer.job);
      if (!node.empty()) {
        callback = std::move(node.mapped());
      }
    }
    if (callback) {
      callback(answer);
    }
  }
}

void Waiters::lookAgain() {
  std::vector<std::string> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [job, callback] : callbacks_) {
      jobs.push_back(job);
    }
  }
  std::vector<WaitAnswer> answers;
  const auto read = parts_.database.read([&](Transaction& transaction) -> Result<void> {
    for (const std::string& job : jobs) {
      FLO_TRY_ASSIGN(const auto row, findWaiter(transaction, job));
      if (row && row->answer) {
        answers.push_back(*row->answer);
      }
    }
    return {};
  });
  if (read) {
    fire(answers);
  }
}

bool Waiters::any() {
  const std::lock_guard lock(mutex_);
  return !callbacks_.empty();
}

void Waiters::expire() {
  const std::int64_t before = parts_.clock() - kKeptNs;
  parts_.database.writeAsync(
      Durability::Relaxed,
      [before](Transaction& transaction) { return expireWaiters(transaction, before); },
      [](const Result<void>&) {});
}

}  // namespace flotilla::engine
