#include <gtest/gtest.h>

#include "api-gateway/cluster/testing/cluster_fixture.h"

namespace flotilla::gateway {
namespace {

using MembershipTest = ClusterFixture;

TEST_F(MembershipTest, ShowsHealthyHostsInInfo) {
  engine("node-1").labels = {"zone=a", "node=x"};
  engine("node-2");
  start();
  auto rows = infoOf("node-1");
  EXPECT_EQ(rows["Status"], "Healthy");
  EXPECT_EQ(rows["ID"], "id-node-1");
  EXPECT_EQ(rows["Reserved CPUs"], "0 / 2");
  EXPECT_EQ(rows["Reserved Memory"], "0 B / 1 GiB");
  EXPECT_NE(rows["Labels"].find("zone=a"), std::string::npos);
  EXPECT_EQ(rows["Labels"].find("node=x"), std::string::npos)
      << "a label called node would be a lie";
  const auto info = document(call("info"));
  EXPECT_EQ(info["NCPU"], 4);
  EXPECT_EQ(info["MemTotal"], std::int64_t{2} << 30U);
  EXPECT_TRUE(info["DriverStatus"].is_null()) << "docker info prints SystemStatus too";
}

TEST_F(MembershipTest, RefusesWhatHasNoResources) {
  engine("node-1");
  start();
  engine("empty").cpus = 0;
  list({"node-1", "empty"});
  EXPECT_TRUE(
      eventually([&] { return infoOf("empty")["Error"].starts_with("cannot get resources"); }));
  EXPECT_EQ(infoOf("empty")["Status"], "Pending");
}

TEST_F(MembershipTest, RefusesLabelsThatAreNoPairs) {
  engine("node-1");
  start();
  engine("odd").labels = {"zone"};
  list({"node-1", "odd"});
  EXPECT_TRUE(eventually(
      [&] { return infoOf("odd")["Error"] == "an engine label must be key=value: \"zone\""; }));
}

TEST_F(MembershipTest, RefusesADuplicateEngineIdWithItsReason) {
  engine("node-1", "same");
  start();
  onLoop([&] { directory().announce("clone:1", {"same", "clone", ""}); });
  list({"node-1", "clone"});
  EXPECT_TRUE(eventually([&] {
    return infoOf("clone")["Error"] ==
           "duplicate engine ID same: it is also that of node-1 (node-1:1)";
  }));
  EXPECT_EQ(infoOf("node-1")["Status"], "Healthy");
}

TEST_F(MembershipTest, ShowsWhyAHostRefusesToServe) {
  engine("node-1");
  start();
  onLoop([&] {
    directory().announce("clone:1", {"id-x", "clone", "another host owns engine id-x"});
  });
  list({"node-1", "clone"});
  EXPECT_TRUE(
      eventually([&] { return infoOf("clone")["Error"] == "another host owns engine id-x"; }));
}

TEST_F(MembershipTest, AnAddressThatNobodyAnnouncedStaysPendingUntilSomeoneDoes) {
  engine("node-1");
  start();
  list({"node-1", "late"});
  EXPECT_TRUE(eventually(
      [&] { return infoOf("late")["Error"] == "no engine has announced itself at late:1"; }));
  onLoop([&] { engine("late"); });
  EXPECT_TRUE(becomes("late", "Healthy"));
}

TEST_F(MembershipTest, AHostThatHangsIsUnhealthyAndHealsWithItsFirstAnswer) {
  FakeEngine& one = engine("node-1");
  engine("node-2");
  start();
  one.hang();
  EXPECT_TRUE(becomes("node-1", "Unhealthy"));
  EXPECT_EQ(infoOf("node-1")["Error"], "no answer within 200 ms");
  EXPECT_EQ(infoOf("node-2")["Status"], "Healthy");
  const auto info = document(call("info"));
  EXPECT_EQ(info["Warnings"].at(0),
            "WARNING: node node-1 (node-1:1) is Unhealthy: no answer within 200 ms");
  one.revive();
  EXPECT_TRUE(becomes("node-1", "Healthy"));
}

TEST_F(MembershipTest, AHostThatNobodyServesIsUnhealthyAndComesBack) {
  FakeEngine& one = engine("node-1");
  start();
  one.die();
  EXPECT_TRUE(becomes("node-1", "Unhealthy"));
  one.revive();
  EXPECT_TRUE(becomes("node-1", "Healthy"));
}

TEST_F(MembershipTest, HostsGoWithDiscovery) {
  engine("node-1");
  engine("node-2");
  start();
  ASSERT_NE(create("c1"), "");
  ASSERT_NE(create("c2"), "");
  list({"node-2"});
  EXPECT_TRUE(eventually([&] { return infoOf("node-1").empty(); }));
  EXPECT_EQ(document(call("container_list", {}, {{"all", "1"}})).size(), 1U);
}

}  // namespace
}  // namespace flotilla::gateway
