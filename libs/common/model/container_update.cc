#include "common/model/container_update.h"

#include "common/model/container_fields.h"
#include "common/model/go_json.h"
#include "common/model/unsupported_fields.h"

namespace flotilla::model {
namespace {

Error conflict(std::string message) { return Error(ErrorKind::Conflict, std::move(message)); }

/// Known resources that are fixed for a container's life.
Result<void> refuseFixed(const HostConfig& asked) {
  const char* field = nullptr;
  if (!asked.ulimits.empty()) {
    field = "Ulimits";
  } else if (!asked.devices.empty()) {
    field = "Devices";
  } else if (!asked.device_cgroup_rules.empty()) {
    field = "DeviceCgroupRules";
  } else if (!asked.cgroup_parent.empty()) {
    field = "CgroupParent";
  } else if (asked.memory_swappiness.value_or(-1) != -1) {
    field = "MemorySwappiness";
  } else if (asked.oom_kill_disable.value_or(false)) {
    field = "OomKillDisable";
  }
  if (field == nullptr) {
    return {};
  }
  return Error(ErrorKind::InvalidArgument,
               std::string(field) +
                   ": changing it for an existing container is not supported by this engine");
}

/// --cpus is a way to say period and quota: a container keeps to the way it was given.
Result<void> checkCpu(const HostConfig& current, const HostConfig& asked) {
  if (asked.nano_cpus > 0 && current.cpu_period > 0) {
    return conflict(
        "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set");
  }
  if (asked.nano_cpus > 0 && current.cpu_quota > 0) {
    return conflict(
        "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set");
  }
  if (asked.cpu_period > 0 && current.nano_cpus > 0) {
    return conflict(
        "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set");
  }
  if (asked.cpu_quota > 0 && current.nano_cpus > 0) {
    return conflict(
        "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set");
  }
  return {};
}

template <class T>
void replaceIf(T& field, const T& asked) {
  if (asked != T{}) {
    field = asked;
  }
}

}  // namespace

Result<HostConfig> decodeUpdateRequest(const std::string& body) {
  HostConfig asked;
  if (body.empty()) {
    return asked;
  }
  FLO_TRY_ASSIGN(const nlohmann::json document, parseBody(body));
  if (!document.is_object() && !document.is_null()) {
    return Error(ErrorKind::InvalidArgument, "invalid JSON: json: cannot unmarshal " +
                                                 std::string(goKind(document)) +
                                                 " into Go value of type container.UpdateConfig");
  }
  WireReader reader(document, "UpdateConfig");
  describeResources(reader, asked);
  reader.nested("RestartPolicy", "container.RestartPolicy", [&] {
    reader("Name", asked.restart_policy, "container.RestartPolicyMode");
    reader("MaximumRetryCount", asked.restart_max_retries);
  });
  if (reader.error()) {
    return *reader.error();
  }
  FLO_TRY(refuseUnsupported(document, "HostConfig"));
  FLO_TRY(refuseFixed(asked));
  return asked;
}

Result<HostConfig> mergeUpdate(const HostConfig& current, const HostConfig& asked) {
  FLO_TRY(checkCpu(current, asked));
  if (asked.memory > current.memory_swap && asked.memory_swap == 0 && asked.memory != 0) {
    return conflict(
        "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the "
        "same time");
  }
  if (current.auto_remove && !asked.restart_policy.empty() && asked.restart_policy != "no") {
    return conflict(
        "Restart policy cannot be updated because AutoRemove is enabled for the container");
  }
  HostConfig merged = current;
  replaceIf(merged.cpu_shares, asked.cpu_shares);
  replaceIf(merged.nano_cpus, asked.nano_cpus);
  replaceIf(merged.cpu_period, asked.cpu_period);
  replaceIf(merged.cpu_quota, asked.cpu_quota);
  replaceIf(merged.cpuset_cpus, asked.cpuset_cpus);
  replaceIf(merged.cpuset_mems, asked.cpuset_mems);
  replaceIf(merged.memory, asked.memory);
  replaceIf(merged.memory_swap, asked.memory_swap);
  replaceIf(merged.memory_reservation, asked.memory_reservation);
  if (asked.pids_limit) {
    merged.pids_limit =
        std::max<std::int64_t>(*asked.pids_limit, 0);  // as inspect shows "none" afterwards
  }
  if (!asked.restart_policy.empty()) {
    merged.restart_policy = asked.restart_policy;
    merged.restart_max_retries = asked.restart_max_retries;
  }
  return merged;
}

}  // namespace flotilla::model
