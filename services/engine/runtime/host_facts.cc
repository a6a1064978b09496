#include "engine/runtime/host_facts.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <fstream>

#include "common/model/cpu_list.h"

namespace flotilla::engine {
namespace {

/// Text after "<name>:" in /proc/self/status, without blanks.
std::string statusLine(const std::string& name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name + ":")) {
      const std::size_t start = line.find_first_not_of(" \t", name.size() + 1);
      return start == std::string::npos ? "" : line.substr(start);
    }
  }
  return {};
}

}  // namespace

model::CapabilitySet ownCapabilities() {
  const std::string hex = statusLine("CapBnd");
  model::CapabilitySet set = 0;
  constexpr int kHex = 16;
  std::from_chars(hex.data(), hex.data() + hex.size(), set, kHex);
  return set & model::knownCapabilities();
}

bool hasUnifiedCgroups() {
  struct statfs info {};
  return statfs("/sys/fs/cgroup", &info) == 0 && info.f_type == CGROUP2_SUPER_MAGIC;
}

model::HostFacts hostFacts() {
  model::HostFacts facts;
  facts.cpuset_cpus = statusLine("Cpus_allowed_list");
  facts.cpuset_mems = statusLine("Mems_allowed_list");
  const auto cpus = model::parseCpuList(facts.cpuset_cpus);
  facts.cpus = cpus && !cpus->empty() ? static_cast<unsigned>(cpus->size()) : 1;
  facts.capabilities = ownCapabilities();
  facts.cgroup_v2 = hasUnifiedCgroups();
  return facts;
}

std::string findInit() {
  constexpr std::array<const char*, 6> kCandidates = {"/usr/bin/docker-init",
                                                      "/usr/bin/tini-static",
                                                      "/usr/bin/catatonit",
                                                      "/usr/libexec/docker/docker-init",
                                                      "/usr/libexec/podman/catatonit",
                                                      "/usr/local/bin/docker-init"};
  for (const char* path : kCandidates) {
    if (access(path, X_OK) == 0) {
      return path;
    }
  }
  return {};
}

}  // namespace flotilla::engine
