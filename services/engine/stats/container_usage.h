#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flotilla::engine {

/// What a container's processes have used, as the kernel's cgroup files say. Times in nanoseconds,
/// memory in bytes. Members that one cgroup version does not have stay 0 or empty.
struct CpuUsage {
  std::uint64_t total = 0, kernel = 0, user = 0;
  std::vector<std::uint64_t> per_cpu;  // v1 only
  std::uint64_t periods = 0, throttled_periods = 0, throttled_time = 0;
};

struct MemoryUsage {
  std::uint64_t usage = 0;
  std::uint64_t max_usage = 0;                 // v1 only
  std::uint64_t limit = 0;                     // the largest number there is when there is none
  std::uint64_t failures = 0;                  // v1: failcnt; v2: "oom" of memory.events
  std::map<std::string, std::uint64_t> stats;  // the members of memory.stat that Docker shows
};

struct PidsUsage {
  std::uint64_t current = 0;
  std::uint64_t limit = 0;  // none: 0 on v1, the largest number on v2, as Docker shows it
};

struct BlockIoEntry {
  std::uint64_t major_number = 0, minor_number = 0;
  std::string operation;
  std::uint64_t value = 0;
};

/// A list that the cgroup version does not have is absent.
struct BlockIoUsage {
  using List = std::optional<std::vector<BlockIoEntry>>;
  List service_bytes, serviced, queued, service_time, wait_time, merged, time, sectors;
};

struct ContainerUsage {
  CpuUsage cpu;
  MemoryUsage memory;
  PidsUsage pids;
  BlockIoUsage block_io;
};

/// Where the cgroup file systems are mounted.
struct CgroupLayout {
  std::string mount = "/sys/fs/cgroup";
  bool unified = false;  // v2; else one directory per controller below `mount`
};

/// Reads the cgroup `path` ("/flotilla/<id>"): a dozen small files, no waiting. A controller that
/// the host does not have reads as zero. Nothing when the cgroup is gone. Thread-safe.
std::optional<ContainerUsage> readContainerUsage(const CgroupLayout& layout,
                                                 const std::string& path);

/// Lines "name number"; other lines are left out.
std::map<std::string, std::uint64_t, std::less<>> parseFlatKeyed(std::string_view text);
/// v1 blkio files: "8:0 Read 4096"; the "Total" line is left out.
std::vector<BlockIoEntry> parseBlkio(std::string_view text);
/// v2 io.stat: "8:0 rbytes=1 wbytes=2 ...", two entries a device.
std::vector<BlockIoEntry> parseIoStat(std::string_view text);

}  // namespace flotilla::engine
