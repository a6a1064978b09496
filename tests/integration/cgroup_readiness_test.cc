#include "engine/runtime/cgroup_readiness.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>

namespace flotilla::engine {
namespace {

std::string cgroups() {
  std::ifstream file("/proc/self/cgroup");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(CgroupReadiness, StaysInItsCgroups) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root";
  }
  const auto where = findCgroupStay();
  if (!where) {
    GTEST_SKIP() << "this process's cgroup is not below /sys/fs/cgroup";
  }
  const std::string before = cgroups();
  EXPECT_TRUE(stay(*where));
  EXPECT_EQ(cgroups(), before);
}

/// The time of the first move of this thread after a pause long enough for the kernel to rest.
std::chrono::microseconds moveAfterRest(CgroupReadiness* readiness) {
  std::mutex mutex;
  std::condition_variable never;
  const auto rest = [&](std::chrono::milliseconds time) {
    std::unique_lock lock(mutex);
    never.wait_for(lock, time, [] { return false; });
  };
  const auto where = findCgroupStay();
  rest(std::chrono::milliseconds(300));
  if (readiness != nullptr) {
    readiness->expectMove();
    rest(std::chrono::milliseconds(80));  // the start's other work
  }
  const auto begin = std::chrono::steady_clock::now();
  static_cast<void>(stay(*where));
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                               begin);
}

TEST(CgroupReadiness, MovesDoNotWaitWhenTheyWereExpected) {
  if (::geteuid() != 0 || !findCgroupStay()) {
    GTEST_SKIP() << "needs root and its own cgroup below /sys/fs/cgroup";
  }
  CgroupReadiness readiness;
  std::chrono::microseconds cold{};
  std::chrono::microseconds ready{};
  for (int round = 0; round < 5; ++round) {
    cold += moveAfterRest(nullptr);
    ready += moveAfterRest(&readiness);
  }
  if (cold < std::chrono::milliseconds(10)) {
    GTEST_SKIP() << "this kernel moves processes without waiting";
  }
  EXPECT_LT(ready * 2, cold);
}

}  // namespace
}  // namespace flotilla::engine
