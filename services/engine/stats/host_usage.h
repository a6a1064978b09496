#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace flotilla::engine {

/// CPU time of the whole host since boot (nanoseconds, idle included) and its CPUs.
struct HostCpu {
  std::uint64_t total = 0;
  unsigned online = 0;
};

/// From the text of /proc/stat: Docker counts the first seven columns.
HostCpu parseHostCpu(std::string_view proc_stat);
HostCpu readHostCpu();

/// Bytes of memory the host has; 0 when it does not say.
std::uint64_t readHostMemory();

struct InterfaceCounters {
  std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};
using Interfaces = std::map<std::string, InterfaceCounters>;

/// From the text of /proc/<pid>/net/dev, loopback left out.
Interfaces parseInterfaces(std::string_view net_dev);
/// Interfaces in the network namespace of `pid`. None when that is this process's own: what a
/// container on the host's network sent cannot be told from the rest.
Interfaces readInterfaces(int pid);

}  // namespace flotilla::engine
