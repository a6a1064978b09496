#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/model/capabilities.h"
#include "common/model/container.h"

namespace flotilla::model {

/// What requests are checked against: facts of the engine's host.
struct HostFacts {
  unsigned cpus = 1;
  std::string cpuset_cpus;         // "0-3": what this engine may use
  std::string cpuset_mems;         // "0"
  CapabilitySet capabilities = 0;  // own bounding set
  bool cgroup_v2 = false;
  std::vector<std::string> runtimes = {"crun", "runc"};  // names --runtime may have
};

/// Checks of POST /containers/create that need no other object: fields, ranges, conflicts, formats.
/// Returns the warnings of the answer. Errors: InvalidArgument, message for message as dockerd 28.5
/// (which also says 500 to some of them). What it refuses at start only: see start_validate.h.
Result<std::vector<std::string>> validateCreate(const CreateRequest& request,
                                                const HostFacts& facts, ApiVersion version);

/// Memory, CPU, pids, cpuset: shared by create and update. `warnings` is appended to.
Result<void> validateResources(const HostConfig& host, const HostFacts& facts,
                               std::vector<std::string>& warnings);

/// RestartPolicy alone, for update. Errors: InvalidArgument "invalid restart policy: ...".
Result<void> validateRestartPolicy(const std::string& name, int max_retries);

/// Fills in what dockerd decides at create and inspect shows from then on: ShmSize, IpcMode,
/// CgroupnsMode, MemorySwap, RestartPolicy, LogConfig.Type, masked and read-only paths,
/// NetworkMode, WorkingDir, PidsLimit. `default_runtime` goes where none is named. After
/// validateCreate().
void applyDefaults(CreateRequest& request, const HostFacts& facts,
                   const std::string& default_runtime);

}  // namespace flotilla::model
