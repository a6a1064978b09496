#pragma once

#include <functional>
#include <string>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/launcher.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/notices.h"

namespace flotilla::engine {

/// Starts containers. Blocks for as long as the runtime needs. Thread-safe.
class Starter {
 public:
  Starter(LifecycleParts& parts, Launcher& launcher, JournalConsumer& consumer, Notices& stopped)
      : parts_(parts), launcher_(launcher), consumer_(consumer), stopped_(stopped) {}

  enum class Reason { User, Policy };

  /// Removes a --rm container that did not start; without locks held.
  void setOnFailed(std::function<void(const std::string& id)> on_failed) { on_failed_ = std::move(on_failed); }

  /// When it returns the `start` event is committed, and perhaps `die` too. Errors: NotFound;
  /// NotModified when it runs; Conflict when paused or being removed; what keeps the process from
  /// starting in dockerd's words, recorded with the container and everything undone.
  Result<void> start(const std::string& id, Reason reason = Reason::User);

 private:
  Result<void> check(const ContainerRecord& record) const;
  Result<void> run(const ContainerRecord& record);
  void recordFailure(const std::string& id, const Error& error);

  LifecycleParts& parts_;
  Launcher& launcher_;
  JournalConsumer& consumer_;
  Notices& stopped_;
  std::function<void(const std::string& id)> on_failed_;
};

}  // namespace flotilla::engine
