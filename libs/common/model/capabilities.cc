#include "common/model/capabilities.h"

#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace flotilla::model {
namespace {

// Index = number (linux/capability.h).
constexpr std::array<std::string_view, 41> kNames = {"CAP_CHOWN",
                                                     "CAP_DAC_OVERRIDE",
                                                     "CAP_DAC_READ_SEARCH",
                                                     "CAP_FOWNER",
                                                     "CAP_FSETID",
                                                     "CAP_KILL",
                                                     "CAP_SETGID",
                                                     "CAP_SETUID",
                                                     "CAP_SETPCAP",
                                                     "CAP_LINUX_IMMUTABLE",
                                                     "CAP_NET_BIND_SERVICE",
                                                     "CAP_NET_BROADCAST",
                                                     "CAP_NET_ADMIN",
                                                     "CAP_NET_RAW",
                                                     "CAP_IPC_LOCK",
                                                     "CAP_IPC_OWNER",
                                                     "CAP_SYS_MODULE",
                                                     "CAP_SYS_RAWIO",
                                                     "CAP_SYS_CHROOT",
                                                     "CAP_SYS_PTRACE",
                                                     "CAP_SYS_PACCT",
                                                     "CAP_SYS_ADMIN",
                                                     "CAP_SYS_BOOT",
                                                     "CAP_SYS_NICE",
                                                     "CAP_SYS_RESOURCE",
                                                     "CAP_SYS_TIME",
                                                     "CAP_SYS_TTY_CONFIG",
                                                     "CAP_MKNOD",
                                                     "CAP_LEASE",
                                                     "CAP_AUDIT_WRITE",
                                                     "CAP_AUDIT_CONTROL",
                                                     "CAP_SETFCAP",
                                                     "CAP_MAC_OVERRIDE",
                                                     "CAP_MAC_ADMIN",
                                                     "CAP_SYSLOG",
                                                     "CAP_WAKE_ALARM",
                                                     "CAP_BLOCK_SUSPEND",
                                                     "CAP_AUDIT_READ",
                                                     "CAP_PERFMON",
                                                     "CAP_BPF",
                                                     "CAP_CHECKPOINT_RESTORE"};

constexpr CapabilitySet bit(unsigned number) { return CapabilitySet{1} << number; }

std::string normalise(std::string_view name) {
  std::string upper(name);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return std::toupper(c); });
  if (upper == "ALL" || upper.starts_with("CAP_")) {
    return upper;
  }
  return "CAP_" + upper;
}

struct Asked {
  CapabilitySet set = 0;
  bool all = false;
};

Result<Asked> parseList(const std::vector<std::string>& names, const std::string& field,
                        CapabilitySet available) {
  Asked asked;
  for (const std::string& name : names) {
    if (normalise(name) == "ALL") {
      asked.all = true;
      continue;
    }
    auto capability = parseCapability(name);
    if (!capability) {
      return std::move(capability).error().context("invalid " + field);
    }
    if ((*capability & available) == 0) {
      return Error(ErrorKind::InvalidArgument,
                   "invalid " + field +
                       ": capability not supported by your kernel or not available in the current "
                       "environment: \"" +
                       normalise(name) + "\"");
    }
    asked.set |= *capability;
  }
  return asked;
}

}  // namespace

CapabilitySet knownCapabilities() { return bit(kNames.size()) - 1; }

CapabilitySet defaultCapabilities() {
  return bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FSETID) | bit(CAP_FOWNER) |
         bit(CAP_MKNOD) | bit(CAP_NET_RAW) | bit(CAP_SETGID) | bit(CAP_SETUID) | bit(CAP_SETFCAP) |
         bit(CAP_SETPCAP) | bit(CAP_NET_BIND_SERVICE) | bit(CAP_SYS_CHROOT) | bit(CAP_KILL) |
         bit(CAP_AUDIT_WRITE);
}

std::vector<std::string> capabilityNames(CapabilitySet set) {
  std::vector<std::string> names;
  for (unsigned number = 0; number < kNames.size(); ++number) {
    if ((set & bit(number)) != 0) {
      names.emplace_back(kNames[number]);
    }
  }
  return names;
}

Result<CapabilitySet> parseCapability(std::string_view name) {
  const std::string full = normalise(name);
  const auto* const found = std::find(kNames.begin(), kNames.end(), full);
  if (found == kNames.end()) {
    return Error(ErrorKind::InvalidArgument, "unknown capability: \"" + full + "\"");
  }
  return bit(static_cast<unsigned>(found - kNames.begin()));
}

Result<CapabilitySet> resolveCapabilities(const std::vector<std::string>& add,
                                          const std::vector<std::string>& drop, bool privileged,
                                          CapabilitySet available) {
  available &= knownCapabilities();
  FLO_TRY_ASSIGN(const Asked added, parseList(add, "CapAdd", available));
  FLO_TRY_ASSIGN(const Asked dropped, parseList(drop, "CapDrop", knownCapabilities()));
  if (privileged) {
    return available;
  }
  if (added.all) {
    return available & ~dropped.set;
  }
  if (dropped.all) {
    return added.set;
  }
  return ((defaultCapabilities() & ~dropped.set) | added.set) & available;
}

}  // namespace flotilla::model
