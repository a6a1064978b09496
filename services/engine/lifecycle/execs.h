#pragma once

#include <atomic>
#include <string>

#include "common/model/container.h"
#include "engine/lifecycle/lifecycle_parts.h"
#include "engine/store/exec_store.h"

namespace flotilla::engine {

/// What POST /exec/{id}/start asks.
struct ExecStartOptions {
  bool detach = false;
  bool tty = false;
  unsigned height = 0, width = 0;
};

/// Processes run inside running containers. Thread-safe.
class Execs {
 public:
  explicit Execs(LifecycleParts& parts) : parts_(parts) {}

  /// Errors: Conflict when the container does not run or is paused.
  Result<std::string> create(const ContainerRecord& record, const model::ExecConfig& config);
  /// Errors: NotFound "No such exec instance: x".
  Result<ExecRecord> get(const std::string& id);
  /// The endpoint of its stream (no ticket when detached). Errors: Conflict when it was started.
  Result<StreamEndpoint> start(const std::string& id, const ExecStartOptions& options);
  /// As get(), with what its shim says of a running one.
  Result<ExecRecord> inspect(const std::string& id);
  Result<void> resize(const std::string& id, unsigned height, unsigned width);

 private:
  Result<ContainerRecordPtr> runningContainer(const ExecRecord& exec);

  LifecycleParts& parts_;
  std::atomic<unsigned> created_{0};
};

}  // namespace flotilla::engine
