#include "engine/lifecycle/predecessor.h"

namespace flotilla::engine {

Result<void> awaitPredecessor(LifecycleParts& parts, const std::string& id) {
  FLO_TRY_ASSIGN(const auto record, parts.catalog.find(id));
  // A shim that runs the container, or waits for its start, is no predecessor.
  const bool over = record && record->state.status == ContainerStatus::Exited &&
                    !record->state.prepared && parts.runtime.alive(id);
  if (over) {
    // Dropped at once: the start reserves again, under its lock.
    FLO_TRY(parts.runtime.reserve(id));
  }
  return {};
}

}  // namespace flotilla::engine
