#include "engine/stats/host_usage.h"

#include <sys/stat.h>

#include <array>
#include <cctype>
#include <sstream>

#include "common/os/atomic_file.h"

namespace flotilla::engine {
namespace {

constexpr std::uint64_t kNanosPerHostTick = 10'000'000;
constexpr int kCountedColumns = 7;
constexpr std::uint64_t kBytesPerKilobyte = 1024;

bool sameNamespace(const std::string& one, const std::string& other) {
  struct stat first {};
  struct stat second {};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_ino == second.st_ino && first.st_dev == second.st_dev;
}

}  // namespace

HostCpu parseHostCpu(std::string_view proc_stat) {
  HostCpu host;
  std::istringstream lines{std::string(proc_stat)};
  for (std::string line; std::getline(lines, line) && line.starts_with("cpu");) {
    std::istringstream columns(line.substr(3));
    if (line.size() > 3 && std::isdigit(static_cast<unsigned char>(line[3])) != 0) {
      ++host.online;
      continue;
    }
    std::uint64_t ticks = 0;
    for (int column = 0; column < kCountedColumns && columns >> ticks; ++column) {
      host.total += ticks * kNanosPerHostTick;
    }
  }
  return host;
}

HostCpu readHostCpu() {
  const auto text = readFile("/proc/stat");
  return text ? parseHostCpu(*text) : HostCpu{};
}

std::uint64_t readHostMemory() {
  const auto text = readFile("/proc/meminfo");
  std::istringstream lines(text ? *text : "");
  std::string name;
  std::uint64_t kilobytes = 0;
  return lines >> name >> kilobytes && name == "MemTotal:" ? kilobytes * kBytesPerKilobyte : 0;
}

Interfaces parseInterfaces(std::string_view net_dev) {
  // Columns: bytes packets errs drop fifo frame compressed multicast, then the same sent.
  constexpr std::size_t kColumns = 12;
  constexpr std::size_t kSent = 8;
  Interfaces interfaces;
  std::istringstream lines{std::string(net_dev)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t start = line.find_first_not_of(' ');
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos) {
      continue;  // headings
    }
    const std::string name = line.substr(start, colon - start);
    std::istringstream columns(line.substr(colon + 1));
    std::array<std::uint64_t, kColumns> values{};
    for (std::uint64_t& value : values) {
      columns >> value;
    }
    if (columns && name != "lo") {
      interfaces[name] = {values[0],         values[1],         values[2],
                          values[3],         values[kSent + 0], values[kSent + 1],
                          values[kSent + 2], values[kSent + 3]};
    }
  }
  return interfaces;
}

Interfaces readInterfaces(int pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  if (pid <= 0 || sameNamespace(process + "/ns/net", "/proc/self/ns/net")) {
    return {};
  }
  const auto text = readFile(process + "/net/dev");
  return text ? parseInterfaces(*text) : Interfaces{};
}

}  // namespace flotilla::engine
