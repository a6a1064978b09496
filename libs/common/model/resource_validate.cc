#include <algorithm>
#include <array>
#include <cstdio>

#include "common/model/container_update.h"
#include "common/model/container_validate.h"
#include "common/model/cpu_list.h"
#include "common/model/invalid.h"

namespace flotilla::model {
namespace {

constexpr std::int64_t kMinMemory = 6 << 20;
constexpr std::int64_t kNanosPerCpu = 1000000000;
constexpr std::int64_t kMinCpuTime = 1000;
constexpr std::int64_t kMaxCpuPeriod = 1000000;

enum class LimitsOf { NewContainer, Update };

Result<void> validateMemory(const HostConfig& host, LimitsOf limits) {
  if (host.memory != 0 && host.memory < kMinMemory) {
    return invalid("Minimum memory limit allowed is 6MB");
  }
  if (host.memory > 0 && host.memory_swap > 0 && host.memory_swap < host.memory) {
    return invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (limits == LimitsOf::NewContainer && host.memory == 0 && host.memory_swap > 0) {
    return invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (host.memory_swappiness && *host.memory_swappiness != -1 &&
      (*host.memory_swappiness < 0 || *host.memory_swappiness > 100)) {
    return invalid("Invalid value: " + std::to_string(*host.memory_swappiness) +
                   ", valid memory swappiness range is 0-100");
  }
  if (host.memory_reservation > 0 && host.memory_reservation < kMinMemory) {
    return invalid("Minimum memory reservation allowed is 6MB");
  }
  if (host.memory > 0 && host.memory_reservation > 0 && host.memory < host.memory_reservation) {
    return invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
  return {};
}

Result<void> validateCpu(const HostConfig& host, unsigned cpus) {
  if (host.nano_cpus > 0 && host.cpu_period > 0) {
    return invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  }
  if (host.nano_cpus > 0 && host.cpu_quota > 0) {
    return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  }
  if (host.nano_cpus < 0 || host.nano_cpus > std::int64_t{cpus} * kNanosPerCpu) {
    const std::string count = std::to_string(cpus);
    return invalid("range of CPUs is from 0.01 to " + count + ".00, as there are only " + count +
                   " CPUs available");
  }
  if (host.cpu_shares < 0) {
    return invalid("invalid CPU shares (" + std::to_string(host.cpu_shares) +
                   "): value must be a positive integer");
  }
  if (host.cpu_period != 0 && (host.cpu_period < kMinCpuTime || host.cpu_period > kMaxCpuPeriod)) {
    return invalid(
        "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  }
  if (host.cpu_quota > 0 && host.cpu_quota < kMinCpuTime) {
    return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  }
  return {};
}

Result<void> validateSet(const std::string& asked, const std::string& available,
                         const std::string& field, const std::string& things) {
  const auto wanted = parseCpuList(asked);
  if (!wanted) {
    return invalid("Invalid value " + asked + " for cpuset " + field +
                   ": invalid format: " + asked);
  }
  const auto have = parseCpuList(available);
  if (have && !std::includes(have->begin(), have->end(), wanted->begin(), wanted->end())) {
    return invalid("Requested " + things + " are not available - requested " + asked +
                   ", available: " + available);
  }
  return {};
}

Result<void> validate(const HostConfig& host, const HostFacts& facts, LimitsOf limits,
                      std::vector<std::string>& warnings) {
  FLO_TRY(validateMemory(host, limits));
  if (host.oom_kill_disable.value_or(false)) {
    if (facts.cgroup_v2) {
      warnings.emplace_back(
          "Your kernel does not support OomKillDisable. OomKillDisable discarded.");
    } else if (host.memory == 0) {
      warnings.emplace_back(
          "OOM killer is disabled for the container, but no memory limit is set, this can result "
          "in the system running out of resources.");
    }
  }
  FLO_TRY(validateCpu(host, facts.cpus));
  FLO_TRY(validateSet(host.cpuset_cpus, facts.cpuset_cpus, "cpus", "CPUs"));
  FLO_TRY(validateSet(host.cpuset_mems, facts.cpuset_mems, "mems", "memory nodes"));
  return {};
}

}  // namespace

Result<void> validateResources(const HostConfig& host, const HostFacts& facts,
                               std::vector<std::string>& warnings) {
  return validate(host, facts, LimitsOf::NewContainer, warnings);
}

Result<void> validateUpdate(const HostConfig& asked, const HostFacts& facts,
                            std::vector<std::string>& warnings) {
  FLO_TRY(validateRestartPolicy(asked.restart_policy, asked.restart_max_retries));
  return validate(asked, facts, LimitsOf::Update, warnings);
}

}  // namespace flotilla::model
