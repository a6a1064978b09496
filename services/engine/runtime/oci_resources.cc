#include "engine/runtime/oci_resources.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <regex>

#include "common/model/namespace_mode.h"
#include "engine/runtime/devices.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

constexpr std::int64_t kCpuPeriod = 100000;
constexpr std::int64_t kNanosPerCpu = 1000000000;

Error invalid(std::string message) { return Error(ErrorKind::InvalidArgument, std::move(message)); }

template <class T>
void setIf(json& object, const char* key, const T& value) {
  if (value != T{}) {
    object[key] = value;
  }
}

json memoryLimits(const model::HostConfig& host, bool cgroup_v2) {
  json memory = json::object();
  setIf(memory, "limit", host.memory);
  setIf(memory, "swap", host.memory_swap);
  setIf(memory, "reservation", host.memory_reservation);
  if (!cgroup_v2) {  // neither exists on v2, and crun refuses them there
    if (host.memory_swappiness && *host.memory_swappiness >= 0) {
      memory["swappiness"] = *host.memory_swappiness;
    }
    memory["disableOOMKiller"] = host.oom_kill_disable.value_or(false);
  }
  return memory;
}

json cpuLimits(const model::HostConfig& host) {
  json cpu = json::object();
  setIf(cpu, "shares", host.cpu_shares);
  setIf(cpu, "quota", host.cpu_quota);
  setIf(cpu, "period", host.cpu_period);
  if (host.nano_cpus > 0) {
    cpu["period"] = kCpuPeriod;
    cpu["quota"] = host.nano_cpus * kCpuPeriod / kNanosPerCpu;
  }
  setIf(cpu, "cpus", host.cpuset_cpus);
  setIf(cpu, "mems", host.cpuset_mems);
  return cpu;
}

json rule(bool allow, std::int64_t major_number, std::int64_t minor_number,
          const std::string& access = "rwm", const std::string& type = "c") {
  return {{"allow", allow},
          {"type", type},
          {"major", major_number},
          {"minor", minor_number},
          {"access", access}};
}

json defaultRules() {
  return json::array({{{"allow", false}, {"access", "rwm"}},
                      rule(true, 1, 5),        // zero
                      rule(true, 1, 3),        // null
                      rule(true, 1, 9),        // urandom
                      rule(true, 1, 8),        // random
                      rule(true, 5, 0),        // tty
                      rule(true, 5, 1),        // console
                      rule(false, 10, 229)});  // fuse
}

json nodeOf(const DeviceNode& device, const std::string& path) {
  return {{"path", path},
          {"type", std::string(1, device.type)},
          {"major", device.major_number},
          {"minor", device.minor_number},
          {"fileMode", device.mode},
          {"uid", device.uid},
          {"gid", device.gid}};
}

/// "c 1:3 rwm", "a *:* rw": the rule, with -1 for "*".
Result<json> parseRule(const std::string& text) {
  static const std::regex pattern("^([acb]) ([0-9]{1,9}|\\*):([0-9]{1,9}|\\*) ([rwm]{1,3})$");
  std::smatch match;
  constexpr std::size_t kLongest = 64;
  if (text.size() > kLongest || !std::regex_match(text, match, pattern)) {
    return invalid("invalid device cgroup rule format: '" + text + "'");
  }
  auto number = [](const std::string& digits) -> std::int64_t {
    std::int64_t value = -1;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  return rule(true, number(match[2]), number(match[3]), match[4], match[1]);
}

Result<void> addDevice(const model::Device& asked, DeviceLists& lists) {
  const std::string target =
      asked.path_in_container.empty() ? asked.path_on_host : asked.path_in_container;
  const std::string access = asked.cgroup_permissions.empty() ? "rwm" : asked.cgroup_permissions;
  if (access.find_first_not_of("rwm") != std::string::npos) {
    return invalid("invalid device mode: " + access);
  }
  if (target.empty() || target.front() != '/') {
    return invalid("invalid device path: '" + target + "' must be absolute");
  }
  auto add = [&](const DeviceNode& device, const std::string& path) {
    lists.nodes.push_back(nodeOf(device, path));
    lists.rules.push_back(
        rule(true, device.major_number, device.minor_number, access, std::string(1, device.type)));
  };
  auto device = statDevice(asked.path_on_host);
  if (device) {
    add(*device, target);
    return {};
  }
  auto under = devicesUnder(asked.path_on_host);
  if (!under) {
    return device.error();
  }
  for (const DeviceNode& node : *under) {
    add(node, target + node.path.substr(asked.path_on_host.size()));
  }
  return {};
}

struct NamedLimit {
  std::string_view name;
  std::string_view oci;
  int resource;
};
constexpr std::array kLimits = {
    NamedLimit{"as", "RLIMIT_AS", RLIMIT_AS},
    NamedLimit{"core", "RLIMIT_CORE", RLIMIT_CORE},
    NamedLimit{"cpu", "RLIMIT_CPU", RLIMIT_CPU},
    NamedLimit{"data", "RLIMIT_DATA", RLIMIT_DATA},
    NamedLimit{"fsize", "RLIMIT_FSIZE", RLIMIT_FSIZE},
    NamedLimit{"locks", "RLIMIT_LOCKS", RLIMIT_LOCKS},
    NamedLimit{"memlock", "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
    NamedLimit{"msgqueue", "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
    NamedLimit{"nice", "RLIMIT_NICE", RLIMIT_NICE},
    NamedLimit{"nofile", "RLIMIT_NOFILE", RLIMIT_NOFILE},
    NamedLimit{"nproc", "RLIMIT_NPROC", RLIMIT_NPROC},
    NamedLimit{"rss", "RLIMIT_RSS", RLIMIT_RSS},
    NamedLimit{"rtprio", "RLIMIT_RTPRIO", RLIMIT_RTPRIO},
    NamedLimit{"rttime", "RLIMIT_RTTIME", RLIMIT_RTTIME},
    NamedLimit{"sigpending", "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    NamedLimit{"stack", "RLIMIT_STACK", RLIMIT_STACK},
};

Result<json> rlimitOf(const model::Ulimit& asked, bool may_raise) {
  const auto* const known =
      std::find_if(kLimits.begin(), kLimits.end(),
                   [&](const NamedLimit& limit) { return limit.name == asked.name; });
  if (known == kLimits.end()) {
    return invalid("invalid ulimit type: " + asked.name);
  }
  const auto soft = static_cast<std::uint64_t>(asked.soft);  // -1 is "unlimited", as RLIM_INFINITY
  const auto hard = static_cast<std::uint64_t>(asked.hard);
  if (soft > hard) {
    return invalid("ulimit soft limit must be less than or equal to hard limit: " +
                   std::to_string(asked.soft) + " > " + std::to_string(asked.hard));
  }
  rlimit own{};
  if (!may_raise && getrlimit(static_cast<__rlimit_resource_t>(known->resource), &own) == 0 &&
      hard > own.rlim_max) {
    return invalid("ulimit " + asked.name + ": hard limit " + std::to_string(asked.hard) +
                   " is above the engine's own (" + std::to_string(own.rlim_max) +
                   "), which it may not raise");
  }
  return json{{"type", known->oci}, {"hard", hard}, {"soft", soft}};
}

bool isIpcSysctl(const std::string& key) {
  constexpr std::array<std::string_view, 8> kIpc = {
      "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
      "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};
  return std::find(kIpc.begin(), kIpc.end(), key) != kIpc.end() || key.starts_with("fs.mqueue.");
}

Result<void> checkSysctl(const std::string& key, const model::HostConfig& host) {
  if (isIpcSysctl(key)) {
    return model::NamespaceMode::parse(host.ipc_mode).isHost()
               ? invalid("sysctl \"" + key + "\" is not allowed in the hosts ipc namespace")
               : Result<void>{};
  }
  if (key.starts_with("net.")) {
    return model::NamespaceMode::parse(host.network_mode).isHost()
               ? invalid("sysctl \"" + key + "\" not allowed in host network namespace")
               : Result<void>{};
  }
  if (key == "kernel.domainname") {
    return host.uts_mode == "host"
               ? invalid("sysctl \"" + key +
                         "\" is not allowed as it conflicts with the host's UTS "
                         "namespace")
               : Result<void>{};
  }
  if (key == "kernel.hostname") {
    return invalid("sysctl \"" + key +
                   "\" is not allowed as it conflicts with the OCI \"hostname\" field");
  }
  return invalid("sysctl \"" + key + "\" is not in a separate kernel namespace");
}

}  // namespace

json ociLimits(const model::HostConfig& host, bool cgroup_v2) {
  json limits = json::object();
  if (json memory = memoryLimits(host, cgroup_v2); !memory.empty()) {
    limits["memory"] = std::move(memory);
  }
  if (json cpu = cpuLimits(host); !cpu.empty()) {
    limits["cpu"] = std::move(cpu);
  }
  if (host.pids_limit && *host.pids_limit > 0) {
    limits["pids"] = {{"limit", *host.pids_limit}};
  }
  return limits;
}

std::string ociLimitsUpdate(const model::HostConfig& asked, const model::HostConfig& merged) {
  json limits = json::object();
  if (asked.memory != 0 || asked.memory_swap != 0 || asked.memory_reservation != 0) {
    json& memory = limits["memory"] = json::object();
    setIf(memory, "limit", merged.memory);
    setIf(memory, "swap", merged.memory_swap);
    setIf(memory, "reservation", merged.memory_reservation);
  }
  if (asked.cpu_shares != 0 || asked.nano_cpus != 0 || asked.cpu_period != 0 ||
      asked.cpu_quota != 0 || !asked.cpuset_cpus.empty() || !asked.cpuset_mems.empty()) {
    limits["cpu"] = cpuLimits(merged);
  }
  if (asked.pids_limit) {
    limits["pids"] = *asked.pids_limit > 0 ? json{{"limit", *asked.pids_limit}} : json();
  }
  return limits.empty() ? std::string() : limits.dump();
}

Result<DeviceLists> ociDevices(const model::HostConfig& host) {
  DeviceLists lists{json::array(), defaultRules()};
  if (host.privileged) {
    for (const DeviceNode& device : hostDevices()) {
      lists.nodes.push_back(nodeOf(device, device.path));
    }
    lists.rules.push_back({{"allow", true}, {"access", "rwm"}});
    return lists;
  }
  for (const model::Device& device : host.devices) {
    FLO_TRY(addDevice(device, lists));
  }
  for (const std::string& text : host.device_cgroup_rules) {
    FLO_TRY_ASSIGN(json parsed, parseRule(text));
    lists.rules.push_back(std::move(parsed));
  }
  return lists;
}

Result<json> ociRlimits(const model::HostConfig& host, model::CapabilitySet capabilities) {
  const bool may_raise = (capabilities & (model::CapabilitySet{1} << CAP_SYS_RESOURCE)) != 0;
  json limits = json::array();
  for (const model::Ulimit& ulimit : host.ulimits) {
    FLO_TRY_ASSIGN(json limit, rlimitOf(ulimit, may_raise));
    limits.push_back(std::move(limit));
  }
  return limits;
}

Result<json> ociSysctls(const SpecInput& input) {
  json sysctls = json::object();
  const model::NamespaceMode network = model::NamespaceMode::parse(input.host->network_mode);
  if (!network.isHost() && !network.isContainer()) {
    sysctls["net.ipv4.ip_unprivileged_port_start"] = "0";
    sysctls["net.ipv4.ping_group_range"] = "0 2147483647";
  }
  if (!input.config->domainname.empty() && input.host->uts_mode != "host") {
    sysctls["kernel.domainname"] = input.config->domainname;
  }
  for (const auto& [key, value] : input.host->sysctls) {
    FLO_TRY(checkSysctl(key, *input.host));
    sysctls[key] = value;
  }
  return sysctls;
}

}  // namespace flotilla::engine
