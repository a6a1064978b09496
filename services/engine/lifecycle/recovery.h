#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/remover.h"
#include "engine/lifecycle/starter.h"
#include "engine/lifecycle/watcher.h"

namespace flotilla::engine {

/// Whether other workers of this host live: what they are making is not swept away then.
enum class Company { Alone, Others };

/// Makes the folders of paths.h and, when alone, empties tmp/. Before anything else. Members of
/// `stream_group`, a gateway without privileges, reach the sockets of streams and nothing else.
Result<void> makeEngineFolders(const Paths& paths, Company company = Company::Alone,
                               std::optional<gid_t> stream_group = std::nullopt);

/// Start-up: makes the records agree with the world, whatever was going on when the last worker
/// died (decisions.md 7). Runs before the first job.
class Recovery {
 public:
  Recovery(LifecycleParts& parts, Watcher& watcher, JournalConsumer& consumer, Remover& remover,
           Starter& starter)
      : parts_(parts),
        watcher_(watcher),
        consumer_(consumer),
        remover_(remover),
        starter_(starter) {}

  /// Errors: Internal when state cannot be read or rules not made.
  Result<void> run();

  /// While other workers go on: adopts the shims that this worker does not watch, settles what a
  /// worker that died left, but touches nothing that may be in the making. May be called again.
  void takeOver();

 private:
  Result<void> adopt(const ContainerRecord& record);
  Result<void> settle(const ContainerRecord& record);
  Result<void> reconcileNetworks();
  void removeOrphans();
  void removeExited(const ContainerRecord& record);
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
