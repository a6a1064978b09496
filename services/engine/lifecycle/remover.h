#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "engine/lifecycle/journal_consumer.h"
#include "engine/lifecycle/lifecycle_parts.h"

namespace flotilla::engine {

enum class RemoveVolumes { Keep, Anonymous };

/// Removes containers: first the record (with the `destroy` event and the answers of those who
/// wait, one durable transaction), then, off the client's path, what the record owned. Thread-safe.
class Remover {
 public:
  Remover(LifecycleParts& parts, Waiters& waiters, JournalConsumer& consumer)
      : parts_(parts), waiters_(waiters), consumer_(consumer) {}

  /// A container that is not running. The caller holds no lock. Errors: NotFound; Conflict when it
  /// runs (again).
  Result<void> remove(const std::string& id, RemoveVolumes volumes);

  /// The shim of `id` left: records a loss if it said no exit, gives the network back and removes
  /// the run directory; of a removed container everything else too. Tries again while processes die
  /// and while slow readers keep it, after `again` at first, then less and less often.
  void bury(const std::string& id, std::chrono::milliseconds again = std::chrono::milliseconds(50));

 private:
  Result<void> removeRecord(const ContainerRecord& record);
  Result<void> settle(const std::string& id);
  bool isBuried(const std::string& id);
  void buryAgain(const std::string& id, std::chrono::milliseconds delay);

  LifecycleParts& parts_;
  Waiters& waiters_;
  JournalConsumer& consumer_;
};

}  // namespace flotilla::engine
