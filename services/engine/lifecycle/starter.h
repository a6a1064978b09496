#pragma once

#include <functional>
#include <optional>
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

  struct Attempt {
    Reason reason = Reason::User;
    /// Not the first attempt: the container's run number when the first one began. A later run
    /// means that it did its work, even when that run is over.
    std::optional<unsigned> first_found = {};
  };

  /// Removes a --rm container that did not start; without locks held.
  void setOnFailed(std::function<void(const std::string& id)> on_failed) {
    on_failed_ = std::move(on_failed);
  }

  /// When it returns the `start` event is committed, and perhaps `die` too. Errors: NotFound;
  /// NotModified when it runs; Conflict when paused or being removed; what keeps the process from
  /// starting in dockerd's words, recorded with the container and everything undone.
  Result<void> start(const std::string& id, Attempt attempt);
  Result<void> start(const std::string& id) { return start(id, Attempt{}); }

  /// As far as the journal has been consumed: has a run begun after `run` that was no failed start?
  [[nodiscard]] bool ranSince(const std::string& id, unsigned run) const;

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
