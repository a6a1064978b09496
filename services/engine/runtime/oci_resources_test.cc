#include "engine/runtime/oci_resources.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

using nlohmann::json;

json update(const model::HostConfig& asked, const model::HostConfig& merged) {
  const std::string text = ociLimitsUpdate(asked, merged);
  return text.empty() ? json() : json::parse(text);
}

TEST(OciLimitsUpdate, IsEmptyWhenNoLimitChanges) {
  model::HostConfig current;
  current.memory = 1 << 26;
  model::HostConfig asked;
  asked.restart_policy = "always";
  EXPECT_EQ(ociLimitsUpdate(asked, current), "");
}

// Swap is memory and swap together in Docker's numbers, and cgroup v2 counts it alone.
TEST(OciLimitsUpdate, NamesMemoryAndSwapTogether) {
  model::HostConfig asked;
  asked.memory_swap = 300;
  model::HostConfig merged = asked;
  merged.memory = 200;
  merged.nano_cpus = 5;
  EXPECT_EQ(update(asked, merged), json::parse(R"({"memory":{"limit":200,"swap":300}})"));
}

TEST(OciLimitsUpdate, TurnsCpusIntoPeriodAndQuota) {
  model::HostConfig asked;
  asked.nano_cpus = 1'500'000'000;
  EXPECT_EQ(update(asked, asked), json::parse(R"({"cpu":{"period":100000,"quota":150000}})"));
}

TEST(OciLimitsUpdate, SaysNoLimitOfPids) {
  model::HostConfig asked;
  asked.pids_limit = 0;
  EXPECT_EQ(update(asked, asked), json::parse(R"({"pids":null})"));
  asked.pids_limit = 30;
  EXPECT_EQ(update(asked, asked), json::parse(R"({"pids":{"limit":30}})"));
}

}  // namespace
}  // namespace flotilla::engine
