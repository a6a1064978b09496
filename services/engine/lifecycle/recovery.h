#pragma once

#include <sys/types.h>

#include <atomic>
#include <optional>
#include <set>
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

enum class LostWith { Boot, Shim };

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

  /// A container that cannot be looked after is logged and left as it is; the others go on.
  /// Errors: Internal when state cannot be read or rules not made.
  Result<void> run();

  /// While other workers go on: adopts the shims that this worker does not watch, settles what a
  /// worker that died left, but touches nothing that may be in the making. May be called again,
  /// by one thread at a time.
  void takeOver();

  /// A shim that this worker watched has left: cleans up after it. One that left its container
  /// running was killed, which a restart policy makes up for. On the work pool.
  void shimGone(const std::string& id);

 private:
  Result<bool> adopt(const ContainerRecord& record);
  bool isLost(const ContainerRecord& record);
  Result<void> settle(const ContainerRecord& record);
  Result<void> reconcileNetworks();
  void removeOrphans();
  void removeExited(const ContainerRecord& record);
  void startByPolicy(const std::vector<ContainerRecordPtr>& before,
                     const std::set<std::string>& lost);
  void startLost(const std::string& id, LostWith with);

  LifecycleParts& parts_;
  Watcher& watcher_;
  JournalConsumer& consumer_;
  Remover& remover_;
  Starter& starter_;
  std::atomic<bool> boot_settled_{false};  // what an earlier boot ended had its start
};

/// Does a restart policy want a container back that was lost? A boot starts `always` anew even when
/// a user had stopped it, as dockerd's start does.
bool wantsRestart(const ContainerRecord& record, LostWith with);

}  // namespace flotilla::engine
