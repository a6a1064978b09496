#include "api-gateway/cluster/cluster_settings.h"

#include <gtest/gtest.h>

namespace flotilla::gateway {
namespace {

std::string refusal(const ClusterSettings& settings) {
  const auto checked = checkClusterSettings(settings);
  return checked ? "accepted" : checked.error().message();
}

TEST(ClusterSettings, AreCheckedInSwarmClassicsWords) {
  EXPECT_EQ(refusal({}), "accepted");
  EXPECT_EQ(refusal({.heartbeat = "10ms"}), "--cluster-heartbeat should be at least one second");
  EXPECT_EQ(refusal({.heartbeat = "x"}),
            "invalid --cluster-heartbeat: time: invalid duration \"x\"");
  EXPECT_EQ(refusal({.refresh_min = "0s"}), "min refresh interval should be a positive number");
  EXPECT_EQ(refusal({.refresh_min = "2m"}),
            "max refresh interval cannot be less than min refresh interval");
  EXPECT_EQ(refusal({.failure_retry = 0}), "invalid failure retry count");
  EXPECT_EQ(refusal({.strategy = "best"}), "strategy not supported: best");
  EXPECT_EQ(refusal({.cluster_options = {"swarm.overcommit"}}),
            "--cluster-opt must contain key=value strings");
  EXPECT_EQ(refusal({.cluster_options = {"swarm.overcommit=-1"}}),
            "swarm.overcommit should be larger than -1, -1.000000 is invalid");
  EXPECT_EQ(checkClusterSettings({.cluster_options = {"swarm.overcommit=0.5"}})->swarm.overcommit,
            0.5);
}

}  // namespace
}  // namespace flotilla::gateway
