#pragma once

#include <string>

#include "common/model/container.h"
#include "engine/lifecycle/lifecycle_parts.h"

namespace flotilla::engine {

/// Changes limits and restart policy of a container, running or not. Thread-safe.
class Updater {
 public:
  explicit Updater(LifecycleParts& parts) : parts_(parts) {}

  /// `asked` as decodeUpdateRequest() gives it, validated. A running container's limits change
  /// first, then the record: an error leaves both as they were. Errors: NotFound; Conflict and
  /// Internal as "Cannot update container <id>: ...".
  Result<void> update(const std::string& id, const model::HostConfig& asked);

 private:
  Result<void> tellShim(const std::string& id, const model::HostConfig& asked,
                        const model::HostConfig& merged);

  LifecycleParts& parts_;
};

}  // namespace flotilla::engine
