#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/notices.h"
#include "engine/lifecycle/waiters.h"

namespace flotilla::engine {

/// The exit code of what was killed, as shells count it: 128 + SIGKILL.
inline constexpr int kKilled = 137;

/// Turns what shims recorded into rows and events, each line once: the lines' effect, their events,
/// the answers of waiters and the position in the journal commit together (decisions.md 1, 7).
/// Only then are waiters and `stopped` told. Thread-safe.
class JournalConsumer {
 public:
  struct Hooks {
    /// The container has exited and will not restart by itself. Runs on the caller's thread.
    std::function<void(const std::string& id)> on_exited;
  };

  JournalConsumer(LifecycleParts& parts, Waiters& waiters, Notices& stopped)
      : parts_(parts), waiters_(waiters), stopped_(stopped) {}

  void setHooks(Hooks hooks) { hooks_ = std::move(hooks); }

  /// Applies all new lines of a container. A container that is gone has none.
  Result<void> consume(const std::string& id);

  /// The shim of a running container is gone without a word: records an exit with `exit_code`
  /// (137: its processes were killed; 255: they went with another boot). False, and nothing
  /// recorded, when it does not run.
  Result<bool> recordLoss(const std::string& id, int exit_code);

 private:
  struct Batch {
    std::vector<WaitAnswer> answers;
    bool exited = false;    // some run ended
    bool finished = false;  // and no restart follows
    std::uint64_t seq = 0;
  };

  std::shared_ptr<std::mutex> mutexOf(const std::string& id);
  Result<void> apply(Transaction& transaction, const ContainerRecord& record,
                     const std::vector<JournalLine>& lines, Batch& batch);
  Result<void> applyLine(Transaction& transaction, const ContainerRecord& record,
                         const JournalLine& line, ContainerState& state, Batch& batch);
  Result<void> applyStart(Transaction& transaction, const ContainerRecord& record,
                          const JournalLine& line, ContainerState& state);
  Result<void> applyExit(Transaction& transaction, const ContainerRecord& record,
                         const JournalLine& line, ContainerState& state, Batch& batch);
  Result<void> applyExecExit(Transaction& transaction, const ContainerRecord& record,
                             const JournalLine& line);
  void tell(const std::string& id, const Batch& batch);

  LifecycleParts& parts_;
  Waiters& waiters_;
  Notices& stopped_;
  Hooks hooks_;
  std::mutex mutex_;  // guards mutexes_
  std::map<std::string, std::weak_ptr<std::mutex>> mutexes_;
};

}  // namespace flotilla::engine
