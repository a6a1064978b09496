#include "bench/process_tree.h"

#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace flotilla::bench {
namespace {

namespace fs = std::filesystem;

/// The number behind "Name:" in a /proc file of "Name:  value" lines; -1 when missing.
long procField(int pid, const char* file, const std::string& name) {
  std::ifstream lines("/proc/" + std::to_string(pid) + "/" + file);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) {
      long value = -1;
      const auto digits = line.find_first_of("0123456789");
      if (digits != std::string::npos) {
        std::from_chars(line.data() + digits, line.data() + line.size(), value);
      }
      return value;
    }
  }
  return -1;
}

std::multimap<int, int> childrenByParent() {
  std::multimap<int, int> children;
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator("/proc", failed)) {
    const std::string name = entry.path().filename();
    int pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ec == std::errc{}) {
      children.emplace(static_cast<int>(procField(pid, "status", "PPid:")), pid);
    }
  }
  return children;
}

}  // namespace

std::set<int> processTree(int root) {
  const auto children = childrenByParent();
  std::set<int> found{root};
  std::vector<int> open{root};
  while (!open.empty()) {
    const auto [first, last] = children.equal_range(open.back());
    open.pop_back();
    for (auto at = first; at != last; ++at) {
      if (found.insert(at->second).second) {
        open.push_back(at->second);
      }
    }
  }
  return found;
}

std::set<int> supervisorsOf(const std::vector<int>& init_pids) {
  const auto children = childrenByParent();
  const std::set<int> inits(init_pids.begin(), init_pids.end());
  std::set<int> supervisors;
  for (const int init : init_pids) {
    const int parent = static_cast<int>(procField(init, "status", "PPid:"));
    if (parent <= 1) {
      continue;
    }
    supervisors.insert(parent);
    const auto [first, last] = children.equal_range(parent);
    for (auto at = first; at != last; ++at) {
      if (!inits.contains(at->second)) {
        supervisors.insert(at->second);
      }
    }
  }
  return supervisors;
}

double pssBytes(const std::set<int>& pids) {
  double total = 0;
  for (const int pid : pids) {
    const long kib = procField(pid, "smaps_rollup", "Pss:");
    total += kib > 0 ? static_cast<double>(kib) * 1024 : 0;
  }
  return total;
}

int threadCount(const std::set<int>& pids) {
  int total = 0;
  for (const int pid : pids) {
    const long threads = procField(pid, "status", "Threads:");
    total += threads > 0 ? static_cast<int>(threads) : 0;
  }
  return total;
}

}  // namespace flotilla::bench
