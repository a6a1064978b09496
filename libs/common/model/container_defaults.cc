#include "common/model/container_validate.h"
#include "common/model/mount_spec.h"
#include "common/model/namespace_mode.h"

namespace flotilla::model {
namespace {

constexpr std::int64_t kDefaultShmSize = 64 << 20;

const std::vector<std::string> kMaskedPaths = {
    "/proc/asound",     "/proc/acpi",        "/proc/interrupts",
    "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
    "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
const std::vector<std::string> kReadonlyPaths = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                                 "/proc/sysrq-trigger"};

void applyIsolation(HostConfig& host, bool cgroup_v2) {
  if (host.ipc_mode.empty()) {
    host.ipc_mode = "private";
  }
  if (host.cgroupns_mode.empty()) {
    host.cgroupns_mode = cgroup_v2 && !host.privileged ? "private" : "host";
  }
  if (!host.privileged) {
    if (!host.masked_paths) {
      host.masked_paths = kMaskedPaths;
    }
    if (!host.readonly_paths) {
      host.readonly_paths = kReadonlyPaths;
    }
  }
  if (host.security_opt.empty() &&
      (host.privileged || host.ipc_mode == "host" || host.pid_mode == "host")) {
    host.security_opt = {"label=disable"};
  }
}

}  // namespace

void applyDefaults(CreateRequest& request, const HostFacts& facts,
                   const std::string& default_runtime) {
  HostConfig& host = request.host;
  if (host.network_mode.empty() || host.network_mode == "default") {
    host.network_mode = "bridge";
  }
  if (auto endpoint = request.endpoints.extract("default"); !endpoint.empty()) {
    endpoint.key() = host.network_mode;  // the CLI names the endpoint of no --network "default"
    request.endpoints.insert(std::move(endpoint));
  }
  if (host.shm_size == 0) {
    host.shm_size = kDefaultShmSize;
  }
  if (host.memory > 0 && host.memory_swap == 0) {
    host.memory_swap = 2 * host.memory;
  }
  if (host.pids_limit && *host.pids_limit <= 0) {
    host.pids_limit.reset();
  }
  if (!host.oom_kill_disable && !facts.cgroup_v2) {
    host.oom_kill_disable = false;
  } else if (facts.cgroup_v2) {
    host.oom_kill_disable.reset();
  }
  if (host.restart_policy.empty()) {
    host.restart_policy = "no";
  }
  if (host.log_driver.empty()) {
    host.log_driver = "json-file";
  }
  if (host.runtime.empty()) {
    host.runtime = default_runtime;
  }
  applyIsolation(host, facts.cgroup_v2);
  if (!request.config.working_dir.empty()) {
    request.config.working_dir = cleanPath(request.config.working_dir);
  }
}

}  // namespace flotilla::model
