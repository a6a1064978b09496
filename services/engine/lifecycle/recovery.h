#pragma once

#include <string>
#include <vector>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/remover.h"
#include "engine/lifecycle/starter.h"
#include "engine/lifecycle/watcher.h"

namespace flotilla::engine {

/// Makes the folders of paths.h and empties tmp/. Before anything else.
Result<void> makeEngineFolders(const Paths& paths);

/// Start-up: makes the records agree with the world, whatever was going on when the last worker
/// died (decisions.md 7). Runs before the first job.
class Recovery {
 public:
  Recovery(LifecycleParts& parts, Watcher& watcher, JournalConsumer& consumer, Remover& remover,
           Starter& starter)
      : parts_(parts), watcher_(watcher), consumer_(consumer), remover_(remover), starter_(starter) {}

  /// Errors: Internal when state cannot be read or rules not made.
  Result<void> run();

 private:
  Result<void> adopt(const ContainerRecord& record);
  Result<void> settle(const ContainerRecord& record);
  Result<void> reconcileNetworks();
  void removeOrphans();
  void startByPolicy(const std::vector<ContainerRecordPtr>& before);

  LifecycleParts& parts_;
  Watcher& watcher_;
  JournalConsumer& consumer_;
  Remover& remover_;
  Starter& starter_;
};

/// Does a restart policy want the container back that was lost with a boot or with its shim?
bool wantsRestart(const ContainerRecord& record);

}  // namespace flotilla::engine
