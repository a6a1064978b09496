#pragma once

#include <optional>
#include <string>

#include "engine/lifecycle/attacher.h"
#include "engine/lifecycle/creator.h"
#include "engine/lifecycle/execs.h"
#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/launcher.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/notices.h"
#include "engine/lifecycle/recovery.h"
#include "engine/lifecycle/remover.h"
#include "engine/lifecycle/starter.h"
#include "engine/lifecycle/stopper.h"
#include "engine/lifecycle/updater.h"
#include "engine/lifecycle/waiters.h"
#include "engine/lifecycle/watcher.h"

namespace flotilla::engine {

/// The operations on containers, wired to each other. Jobs pick the one they need.
class Lifecycle {
 public:
  explicit Lifecycle(LifecycleParts parts_in);
  Lifecycle(const Lifecycle&) = delete;
  Lifecycle& operator=(const Lifecycle&) = delete;

  /// Stop, then start. `done` on the work pool.
  void restart(const std::string& id, const Stopper::StopOptions& options,
               std::optional<unsigned> first_found, Stopper::Done done);
  /// Remove, by force perhaps. `done` on the work pool or before this returns. `shown` is how the
  /// client named it, for Docker's words.
  struct RemoveOptions {
    bool force = false;
    bool volumes = false;
    std::string shown;
  };
  void remove(const std::string& id, const RemoveOptions& options, Stopper::Done done);
  /// Another worker committed: whoever waits here for what it may have done is told. On the work
  /// pool.
  void lookAgain();
  /// Whether lookAgain() could find anything to tell.
  [[nodiscard]] bool awaits() { return waiters.any() || !stopped.awaited().empty(); }
  Result<void> rename(const std::string& id, const std::string& name);

  LifecycleParts parts;
  Notices stopped;  // by container: an exit, a failed start, a removal
  Waiters waiters;
  JournalConsumer consumer;
  Watcher watcher;
  Remover remover;
  Launcher launcher;
  Starter starter;
  Stopper stopper;
  Updater updater;
  Creator creator;
  Execs execs;
  Attacher attacher;
  Recovery recovery;

 private:
  void onExited(const std::string& id);
};

}  // namespace flotilla::engine
