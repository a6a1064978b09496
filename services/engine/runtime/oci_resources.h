#pragma once

#include <nlohmann/json.hpp>

#include "engine/runtime/oci_spec.h"

namespace flotilla::engine {

/// Memory, CPU and pids limits as linux.resources members.
nlohmann::json ociLimits(const model::HostConfig& host, bool cgroup_v2);
/// The same for an update: the groups that `asked` touches, whole, with the values of `merged`
/// (mergeUpdate()), null for one without a limit. JSON text; "" when no limit changes.
std::string ociLimitsUpdate(const model::HostConfig& asked, const model::HostConfig& merged);

struct DeviceLists {
  nlohmann::json nodes;  // linux.devices
  nlohmann::json rules;  // linux.resources.devices
};
/// Errors: InvalidArgument (no such device, bad rule).
Result<DeviceLists> ociDevices(const model::HostConfig& host);

/// process.rlimits. Errors: InvalidArgument for unknown names, soft above hard, and limits above
/// the engine's own that it may not raise.
Result<nlohmann::json> ociRlimits(const model::HostConfig& host, model::CapabilitySet capabilities);

/// linux.sysctl: what was asked over Docker's defaults. Errors: InvalidArgument for settings that
/// would reach the host.
Result<nlohmann::json> ociSysctls(const SpecInput& input);

}  // namespace flotilla::engine
