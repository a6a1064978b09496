#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/store/waiter_store.h"

namespace flotilla::engine {

/// Clients that wait for a container (`wait`), as rows and as callbacks of this process.
/// Thread-safe.
class Waiters {
 public:
  using OnAnswer = std::function<void(const WaitAnswer&)>;

  explicit Waiters(LifecycleParts& parts) : parts_(parts) {}

  /// Registers the wait of `job`; a redelivered job finds its row, and its answer in it. When this
  /// returns the waiter is stored; `on_answer` runs once, perhaps before the return.
  /// Errors: NotFound "No such container: x".
  Result<void> add(const std::string& job, const std::string& container, WaitCondition condition,
                   OnAnswer on_answer);
  /// The answer for a container that is not there any more: what this job was answered before, or,
  /// for a wait for its removal, the exit code that the removal left (by whole id, for 10 minutes).
  Result<std::optional<WaitAnswer>> answerOfRemoved(const std::string& job,
                                                    const std::string& container,
                                                    WaitCondition condition);
  /// The client is gone.
  void cancel(const std::string& job);
  /// Runs the callbacks of waiters whose answers are committed.
  void fire(const std::vector<WaitAnswer>& answers);
  /// Another worker may have answered: callbacks whose rows have an answer run.
  void lookAgain();
  [[nodiscard]] bool any();
  void expire();

 private:
  Result<std::optional<WaitAnswer>> store(Transaction& transaction, const WaiterRow& wanted);

  LifecycleParts& parts_;
  std::mutex mutex_;                           // guards callbacks_
  std::map<std::string, OnAnswer> callbacks_;  // by job
};

}  // namespace flotilla::engine
