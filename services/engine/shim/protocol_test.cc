#include "engine/shim/protocol.h"

#include <gtest/gtest.h>

namespace flotilla::engine::shim {
namespace {

LaunchSpec sample() {
  LaunchSpec spec;
  spec.container_id = "c1";
  spec.bundle = "/b";
  spec.journal = "/j";
  spec.runtime = "/usr/bin/crun";
  spec.runtime_root = "/run/crun";
  spec.cgroup_path = "/flotilla/c1";
  spec.overlay = {"/l", {"A", "B"}, "/u", "/w", "/m"};
  spec.binds.resize(2);
  spec.binds[0].source = "/srv";
  spec.binds[1].shared = true;
  spec.binds[1].is_directory = false;
  spec.port_fds = 3;
  spec.has_netns = spec.tty = spec.open_stdin = spec.stdin_once = spec.init = true;
  spec.height = 24;
  spec.width = 80;
  spec.log = {"/log", 5, 2, true};
  spec.restart = {"on-failure", 4};
  spec.oom_score_adj = -5;
  spec.first_seq = 1ULL << 40U;
  spec.run = 9;
  return spec;
}

TEST(LaunchSpec, SurvivesTheTrip) {
  const std::string text = encode(sample());
  LaunchSpec back;
  ASSERT_TRUE(decode(text, back));
  EXPECT_EQ(encode(back), text);
  EXPECT_EQ(back.overlay.lower, (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(back.binds[1].shared);
  EXPECT_EQ(back.first_seq, 1ULL << 40U);
  EXPECT_EQ(back.oom_score_adj, -5);
  EXPECT_EQ(back.log.max_files, 2U);
  EXPECT_EQ(back.restart.name, "on-failure");
}

TEST(LaunchSpec, RefusesWhatIsNone) {
  LaunchSpec spec;
  EXPECT_FALSE(decode("", spec));
  EXPECT_FALSE(decode("[]", spec));
  EXPECT_FALSE(decode("{}", spec));
  EXPECT_FALSE(decode(R"({"container_id":5})", spec));
  EXPECT_FALSE(
      decode(R"({"container_id":"c","bundle":"b","journal":"j","runtime":"r","binds":[1]})", spec));
  EXPECT_FALSE(decode(
      R"({"container_id":"c","bundle":"b","journal":"j","runtime":"r","overlay":{"lower":[1]}})",
      spec));
}

}  // namespace
}  // namespace flotilla::engine::shim
