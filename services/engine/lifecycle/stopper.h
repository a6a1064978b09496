#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/notices.h"

namespace flotilla::engine {

/// Stops, kills, pauses. What waits (a grace period, an exit) is a continuation: `done` runs later,
/// on the work pool, and no lock is held meanwhile. Thread-safe.
class Stopper {
 public:
  using Done = std::function<void(Result<void>)>;

  Stopper(LifecycleParts& parts, Notices& stopped) : parts_(parts), stopped_(stopped) {}

  struct StopOptions {
    std::string signal;                  // "" = the container's
    std::optional<int> timeout_seconds;  // absent = the container's, else 10; negative = for ever
  };

  /// Signal, grace, SIGKILL. `done` gets NotModified when it does not run.
  void stop(const std::string& id, const StopOptions& options, Done done);
  /// `done` runs once the signal is sent; for SIGKILL once the container is dead. Errors: Conflict
  /// "container <id> is not running"; InvalidArgument "invalid signal: X".
  void kill(const std::string& id, const std::string& signal, Done done);
  /// SIGKILL without an event of its own, for removal.
  void killForRemoval(const std::string& id, Done done);

  Result<void> pause(const std::string& id);
  Result<void> unpause(const std::string& id);

 private:
  Result<ContainerRecordPtr> running(const std::string& id);
  Result<void> markStopped(const ContainerRecord& record, const std::string& event,
                           const std::map<std::string, std::string>& attributes);
  Result<void> send(const ContainerRecord& record, int signal_number);
  void whenStopped(const std::string& id, std::optional<std::chrono::milliseconds> timeout,
                   std::function<void(bool stopped)> then);
  void killNow(const ContainerRecordPtr& record, Done done);
  void finishStop(const ContainerRecordPtr& record, const Done& done);

  LifecycleParts& parts_;
  Notices& stopped_;
};

}  // namespace flotilla::engine
