#include "engine/stats/container_usage.h"

#include <unistd.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "common/os/atomic_file.h"

namespace flotilla::engine {
namespace {

constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kNanosPerTick = 10'000'000;  // USER_HZ is 100 for every program
constexpr std::uint64_t kNanosPerMicro = 1000;

using Numbers = std::map<std::string, std::uint64_t, std::less<>>;

// What Docker shows of v1's memory.stat; there is a "total_" twin of each but the limits.
constexpr std::array kMemoryV1 = {"cache",       "rss",           "rss_huge",     "mapped_file",
                                  "dirty",       "writeback",     "pgpgin",       "pgpgout",
                                  "pgfault",     "pgmajfault",    "active_anon",  "active_file",
                                  "unevictable", "inactive_anon", "inactive_file"};
constexpr std::array kMemoryLimitsV1 = {"hierarchical_memory_limit", "hierarchical_memsw_limit"};

// Not compatible with v1's. A member the kernel does not have (any more) is shown as 0.
constexpr std::array kMemoryV2 = {"active_anon",
                                  "active_file",
                                  "anon",
                                  "anon_thp",
                                  "file",
                                  "file_dirty",
                                  "file_mapped",
                                  "file_writeback",
                                  "inactive_anon",
                                  "inactive_file",
                                  "kernel_stack",
                                  "pgactivate",
                                  "pgdeactivate",
                                  "pgfault",
                                  "pglazyfree",
                                  "pglazyfreed",
                                  "pgmajfault",
                                  "pgrefill",
                                  "pgscan",
                                  "pgsteal",
                                  "shmem",
                                  "slab",
                                  "slab_reclaimable",
                                  "slab_unreclaimable",
                                  "sock",
                                  "thp_collapse_alloc",
                                  "thp_fault_alloc",
                                  "unevictable",
                                  "workingset_activate",
                                  "workingset_nodereclaim",
                                  "workingset_refault"};

/// Takes the next word off `text`, or "" at its end.
std::string_view takeWord(std::string_view& text, std::string_view separators = " \t\n") {
  const std::size_t start = text.find_first_not_of(separators);
  if (start == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(start);
  const std::string_view word = text.substr(0, text.find_first_of(separators));
  text.remove_prefix(word.size());
  return word;
}

std::string_view takeLine(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

std::optional<std::uint64_t> parseNumber(std::string_view word) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(word.data(), word.data() + word.size(), number);
  return !word.empty() && failed == std::errc() && end == word.data() + word.size()
             ? std::optional(number)
             : std::nullopt;
}

std::uint64_t numberOf(const Numbers& numbers, std::string_view name) {
  const auto found = numbers.find(name);
  return found == numbers.end() ? 0 : found->second;
}

/// The files of one cgroup in one hierarchy.
class Files {
 public:
  explicit Files(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] bool exist() const { return ::access(directory_.c_str(), F_OK) == 0; }
  [[nodiscard]] std::string text(const std::string& name) const {
    auto read = readFile(directory_ + "/" + name);
    return read ? std::move(*read) : std::string();
  }
  [[nodiscard]] Numbers numbers(const std::string& name) const {
    return parseFlatKeyed(text(name));
  }
  /// A file with one number, or "max".
  [[nodiscard]] std::uint64_t number(const std::string& name,
                                     std::uint64_t maximum = kNoLimit) const {
    const std::string content = text(name);
    std::string_view rest = content;
    const std::string_view word = takeWord(rest);
    return word == "max" ? maximum : parseNumber(word).value_or(0);
  }

 private:
  std::string directory_;
};

CpuUsage cpuV1(const Files& accounting, const Files& scheduler) {
  CpuUsage usage;
  usage.total = accounting.number("cpuacct.usage");
  const Numbers ticks = accounting.numbers("cpuacct.stat");
  usage.kernel = numberOf(ticks, "system") * kNanosPerTick;
  usage.user = numberOf(ticks, "user") * kNanosPerTick;
  const std::string per_cpu = accounting.text("cpuacct.usage_percpu");
  std::string_view rest = per_cpu;
  while (const auto number = parseNumber(takeWord(rest))) {
    usage.per_cpu.push_back(*number);
  }
  const Numbers throttling = scheduler.numbers("cpu.stat");
  usage.periods = numberOf(throttling, "nr_periods");
  usage.throttled_periods = numberOf(throttling, "nr_throttled");
  usage.throttled_time = numberOf(throttling, "throttled_time");
  return usage;
}

MemoryUsage memoryV1(const Files& files) {
  MemoryUsage usage;
  usage.usage = files.number("memory.usage_in_bytes");
  usage.max_usage = files.number("memory.max_usage_in_bytes");
  usage.limit = files.number("memory.limit_in_bytes");
  usage.failures = files.number("memory.failcnt");
  const Numbers stat = files.numbers("memory.stat");
  for (const char* name : kMemoryLimitsV1) {
    usage.stats[name] = numberOf(stat, name);
  }
  for (const char* name : kMemoryV1) {
    usage.stats[name] = numberOf(stat, name);
    const std::string total = std::string("total_") + name;
    usage.stats[total] = numberOf(stat, total);
  }
  return usage;
}

/// The first of the schedulers that accounts anything; the throttling layer sees what none does.
std::vector<BlockIoEntry> blkioV1(const Files& files, const std::string& name) {
  for (const char* family : {"blkio.", "blkio.bfq.", "blkio.throttle."}) {
    if (auto entries = parseBlkio(files.text(family + name)); !entries.empty()) {
      return entries;
    }
  }
  return {};
}

BlockIoUsage blockIoV1(const Files& files) {
  BlockIoUsage usage;
  usage.service_bytes = blkioV1(files, "io_service_bytes_recursive");
  usage.serviced = blkioV1(files, "io_serviced_recursive");
  usage.queued = blkioV1(files, "io_queued_recursive");
  usage.service_time = blkioV1(files, "io_service_time_recursive");
  usage.wait_time = blkioV1(files, "io_wait_time_recursive");
  usage.merged = blkioV1(files, "io_merged_recursive");
  usage.time = blkioV1(files, "time_recursive");
  usage.sectors = blkioV1(files, "sectors_recursive");
  return usage;
}

std::optional<ContainerUsage> readV1(const CgroupLayout& layout, const std::string& path) {
  const auto files = [&](const char* controller) {
    return Files(layout.mount + "/" + controller + path);
  };
  const Files memory = files("memory");
  const Files pids = files("pids");
  if (!memory.exist() && !pids.exist()) {
    return std::nullopt;
  }
  ContainerUsage usage;
  usage.cpu = cpuV1(files("cpuacct"), files("cpu"));
  usage.memory = memoryV1(memory);
  usage.pids = {pids.number("pids.current"), pids.number("pids.max", 0)};
  usage.block_io = blockIoV1(files("blkio"));
  return usage;
}

std::optional<ContainerUsage> readV2(const CgroupLayout& layout, const std::string& path) {
  const Files files(layout.mount + path);
  if (!files.exist()) {
    return std::nullopt;
  }
  ContainerUsage usage;
  const Numbers cpu = files.numbers("cpu.stat");
  usage.cpu.total = numberOf(cpu, "usage_usec") * kNanosPerMicro;
  usage.cpu.kernel = numberOf(cpu, "system_usec") * kNanosPerMicro;
  usage.cpu.user = numberOf(cpu, "user_usec") * kNanosPerMicro;
  usage.cpu.periods = numberOf(cpu, "nr_periods");
  usage.cpu.throttled_periods = numberOf(cpu, "nr_throttled");
  usage.cpu.throttled_time = numberOf(cpu, "throttled_usec") * kNanosPerMicro;
  usage.memory.usage = files.number("memory.current");
  usage.memory.limit = files.number("memory.max");
  usage.memory.failures = numberOf(files.numbers("memory.events"), "oom");
  const Numbers stat = files.numbers("memory.stat");
  for (const char* name : kMemoryV2) {
    usage.memory.stats[name] = numberOf(stat, name);
  }
  usage.pids = {files.number("pids.current"), files.number("pids.max")};
  if (auto entries = parseIoStat(files.text("io.stat")); !entries.empty()) {
    usage.block_io.service_bytes = std::move(entries);
  }
  return usage;
}

/// "8:0" into an entry. False when it is something else.
bool takeDevice(std::string_view word, BlockIoEntry& entry) {
  const std::size_t colon = word.find(':');
  if (colon == std::string_view::npos) {
    return false;
  }
  const auto major_number = parseNumber(word.substr(0, colon));
  const auto minor_number = parseNumber(word.substr(colon + 1));
  entry.major_number = major_number.value_or(0);
  entry.minor_number = minor_number.value_or(0);
  return major_number && minor_number;
}

}  // namespace

std::map<std::string, std::uint64_t, std::less<>> parseFlatKeyed(std::string_view text) {
  Numbers numbers;
  while (!text.empty()) {
    std::string_view line = takeLine(text);
    const std::string_view name = takeWord(line);
    if (const auto number = parseNumber(takeWord(line))) {
      numbers[std::string(name)] = *number;
    }
  }
  return numbers;
}

std::vector<BlockIoEntry> parseBlkio(std::string_view text) {
  std::vector<BlockIoEntry> entries;
  while (!text.empty()) {
    std::string_view line = takeLine(text);
    BlockIoEntry entry;
    if (!takeDevice(takeWord(line), entry)) {
      continue;
    }
    std::string_view word = takeWord(line);
    auto number = parseNumber(word);
    if (!number) {  // time and sectors have no operation
      entry.operation = word;
      number = parseNumber(takeWord(line));
    }
    if (number) {
      entry.value = *number;
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

std::vector<BlockIoEntry> parseIoStat(std::string_view text) {
  std::vector<BlockIoEntry> entries;
  while (!text.empty()) {
    std::string_view line = takeLine(text);
    BlockIoEntry read;
    if (!takeDevice(takeWord(line), read)) {
      continue;
    }
    BlockIoEntry write = read;
    read.operation = "read";
    write.operation = "write";
    for (std::string_view word = takeWord(line); !word.empty(); word = takeWord(line)) {
      const std::size_t equals = std::min(word.find('='), word.size() - 1);
      const std::uint64_t number = parseNumber(word.substr(equals + 1)).value_or(0);
      if (word.starts_with("rbytes=")) {
        read.value = number;
      } else if (word.starts_with("wbytes=")) {
        write.value = number;
      }
    }
    entries.push_back(std::move(read));
    entries.push_back(std::move(write));
  }
  return entries;
}

std::optional<ContainerUsage> readContainerUsage(const CgroupLayout& layout,
                                                 const std::string& path) {
  return layout.unified ? readV2(layout, path) : readV1(layout, path);
}

}  // namespace flotilla::engine
