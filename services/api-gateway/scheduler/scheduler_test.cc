#include "api-gateway/scheduler/scheduler.h"

#include <gtest/gtest.h>

#include <map>

namespace flotilla::gateway {
namespace {

constexpr std::int64_t kNano = 1'000'000'000;

class SchedulerTest : public testing::Test {
 protected:
  SchedulerTest() : hosts_{host("node-1"), host("node-2")} {}

  static HostPtr host(const std::string& name) {
    auto made = std::make_shared<Host>();
    made->facts.name = name;
    made->facts.cpus = 2;
    made->facts.memory = 1000;
    made->state = HostState::Healthy;
    return made;
  }

  static ContainerRow row(const std::string& id) {
    ContainerRow made;
    made.id = made.name = id;
    made.state = "running";
    return made;
  }

  std::string placed(const PlacementRequest& request = {}) {
    auto placement = scheduler_.place(request, hosts_);
    return placement ? (*placement)->host()->name() : placement.error().message();
  }

  std::vector<HostPtr> hosts_;
  ContainerIndex index_;
  Scheduler scheduler_{makeStrategy("spread", 0.05).value(), index_};
};

TEST_F(SchedulerTest, TenAtOnceAreFiveEach) {
  std::map<std::string, int> count;
  std::vector<std::unique_ptr<Scheduler::Placement>> pending;
  for (int i = 0; i < 10; ++i) {
    pending.push_back(scheduler_.place({}, hosts_).value());
    ++count[pending.back()->host()->name()];
  }
  EXPECT_EQ(count["node-1"], 5);
  EXPECT_EQ(count["node-2"], 5);
}

TEST_F(SchedulerTest, TenInTurnThatLeaveNothingBehindAreFiveEach) {
  std::map<std::string, int> count;
  for (int i = 0; i < 10; ++i) {
    ++count[placed()];
  }
  EXPECT_EQ(count["node-1"], 5);
  EXPECT_EQ(count["node-2"], 5);
}

TEST_F(SchedulerTest, PrefersTheHostWithFewerContainers) {
  index_.put(hosts_[0], row("a"));
  index_.put(hosts_[0], row("b"));
  EXPECT_EQ(placed(), "node-2");
  EXPECT_EQ(placed(), "node-2");
}

TEST_F(SchedulerTest, CountsWhatIsReserved) {
  auto heavy = row("heavy");
  heavy.memory = 800;
  index_.put(hosts_[1], heavy);
  index_.put(hosts_[0], row("a"));
  index_.put(hosts_[0], row("b"));
  EXPECT_EQ(placed({.memory = 100}), "node-1") << "by memory, not by number";
  EXPECT_EQ(placed({.memory = 900}), "node-1");
  EXPECT_EQ(placed({.memory = 1100}), "no resources available to schedule container");
  EXPECT_EQ(placed({.nano_cpus = 3 * kNano}), "no resources available to schedule container");
}

TEST_F(SchedulerTest, OvercommitsByFivePercent) {
  EXPECT_NE(placed({.memory = 1050}), "no resources available to schedule container");
}

TEST_F(SchedulerTest, KeepsOffHostsThatHoldThePort) {
  auto web = row("web");
  web.ports = {{"", 80, 80, "tcp"}};
  index_.put(hosts_[0], web);
  const PlacementRequest same{.ports = {{"127.0.0.1", 80, 80, "tcp"}}};
  EXPECT_EQ(placed(same), "node-2");
  EXPECT_EQ(placed(same), "node-2");
  const auto held = scheduler_.place(same, hosts_);
  EXPECT_EQ(
      placed(same),
      "Unable to find a node that satisfies the following conditions \n[port 80 (Bridge mode)]");
  EXPECT_NE(placed({.ports = {{"", 80, 80, "udp"}}}).find("node"), std::string::npos);
}

TEST_F(SchedulerTest, GoesWhereItsDependenciesAre) {
  index_.put(hosts_[1], row("data"));
  index_.put(hosts_[1], row("other"));
  EXPECT_EQ(placed({.depends_on = {"data"}}), "node-2");
  EXPECT_EQ(placed({.depends_on = {"nowhere"}}),
            "Unable to find a node that satisfies the following conditions \n[nowhere]");
}

TEST_F(SchedulerTest, OnlyHealthyHosts) {
  hosts_[0]->state = HostState::Unhealthy;
  EXPECT_EQ(placed(), "node-2");
  hosts_[1]->state = HostState::Pending;
  const auto none = scheduler_.place({}, hosts_);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind(), ErrorKind::Unavailable);
  EXPECT_EQ(none.error().message(), "No healthy node available in the cluster");
}

TEST_F(SchedulerTest, RefusesUnknownStrategies) {
  EXPECT_EQ(makeStrategy("best", 0).error().message(), "strategy not supported: best");
}

}  // namespace
}  // namespace flotilla::gateway
