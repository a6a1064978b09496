#pragma once

#include <string>

#include "engine/lifecycle/launcher.h"
#include "engine/lifecycle/lifecycle_parts.h"

namespace flotilla::engine {

/// Connects clients to a container's streams. Thread-safe.
class Attacher {
 public:
  Attacher(LifecycleParts& parts, Launcher& launcher) : parts_(parts), launcher_(launcher) {}

  /// The endpoint of a stream of the container. One that does not run gets its shim here and the
  /// stream begins with `start` (decisions.md 8). nullopt: it cannot be prepared, and `start` will
  /// say why. Errors: Conflict when paused or restarting.
  Result<std::optional<StreamEndpoint>> attach(const ContainerRecordPtr& record,
                                               const AttachOptions& options);

  /// Size of the container's terminal. Errors: Conflict "container <id> is not running".
  Result<void> resize(const ContainerRecord& record, unsigned height, unsigned width);

 private:
  Result<std::optional<StreamEndpoint>> attachBeforeStart(const ContainerRecordPtr& record,
                                                          const AttachOptions& options);
  Result<std::optional<StreamEndpoint>> connect(const std::string& id,
                                                const AttachOptions& options);
  void note(const ContainerRecordPtr& record);  // its `attach` event

  LifecycleParts& parts_;
  Launcher& launcher_;
};

}  // namespace flotilla::engine
