#pragma once

#include <string>
#include <vector>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/lifecycle/watcher.h"

namespace flotilla::engine {

/// Prepares a container to run: network, files, spec and a shim that waits for `go`. Used by the
/// first of attach and start, under the container's lock (decisions.md 8). Thread-safe.
class Launcher {
 public:
  Launcher(LifecycleParts& parts, JournalConsumer& consumer, Watcher& watcher)
      : parts_(parts), consumer_(consumer), watcher_(watcher) {}

  /// Does nothing when a shim waits already. Waits for the shim of an earlier run to leave. Nothing
  /// is left behind on error.
  Result<void> prepare(const ContainerRecord& record);

  /// For a shim that `record` was prepared with, and that answers nothing. When it has left because
  /// nobody was attached any more, without having been told to start, another is prepared; else
  /// false.
  Result<bool> replace(const ContainerRecord& record);

  /// Gives back what prepare() took, after a failed start.
  void undo(const std::string& id);

 private:
  struct Network {
    std::optional<UniqueFd> netns;
    std::vector<UniqueFd> port_holders;
    Endpoint endpoint;
    bool attached = false;  // to a network of ours: has an endpoint
  };

  Result<void> launch(const ContainerRecord& record, UniqueFd shim_lock);
  Result<Network> network(const ContainerRecord& record);
  Result<Network> sharedNetwork(const std::string& other);
  Result<std::string> namespaceOf(const std::string& mode, const char* kind);
  Result<std::string> sharedShm(const ContainerRecord& record);
  Result<LaunchRequest> request(const ContainerRecord& record);
  Result<std::string> specJson(const ContainerRecord& record, const LaunchRequest& request,
                               bool has_netns);

  LifecycleParts& parts_;
  JournalConsumer& consumer_;
  Watcher& watcher_;
};

/// Port requests of a container, from its bindings and, with -P, its exposed ports.
Result<std::vector<PortRequest>> portRequests(const ContainerSpec& spec);

}  // namespace flotilla::engine
