#include <gtest/gtest.h>

#include "api-gateway/cluster/testing/two_hosts.h"

namespace flotilla::gateway {
namespace {

/// Hosts that do not answer, and those who wait for them.
class SwarmHostsTest : public TwoHosts {};

/// Jobs that ask what there is, or for one thing of it.
const std::vector<std::pair<std::string, std::vector<std::string>>> kQuestions = {
    {"container_list", {}},         {"image_list", {}},
    {"network_list", {}},           {"volume_list", {}},
    {"container_inspect", {"web"}}, {"container_remove", {"web"}},
    {"exec_inspect", {"e1"}},       {"exec_start", {"e1"}},
    {"image_inspect", {"busybox"}}, {"volume_inspect", {"v"}},
    {"network_inspect", {"n"}},     {"image_save", {"busybox"}}};

TEST_F(SwarmHostsTest, IsReadyWhenEveryHostWasTried) {
  two_.hang();
  one_.put({.id = "a1", .name = "web", .image = "busybox"});
  startUnchecked();
  EXPECT_EQ(infoOf("node-1")["Status"], "Healthy");
  EXPECT_EQ(infoOf("node-2")["Error"], "no answer within 200 ms");
  EXPECT_EQ(document(call("container_list")).size(), 1U);
}

TEST_F(SwarmHostsTest, WithoutAHealthyHostNothingIsSaidOfWhatThereIs) {
  one_.hang();
  two_.hang();
  startUnchecked();
  for (const auto& [job, arguments] : kQuestions) {
    const auto result = call(job, arguments);
    ASSERT_FALSE(result) << job << ": " << message(result);
    EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable) << job;
    EXPECT_EQ(result.error().message(),
              "No healthy node available in the cluster (node-1: no answer within 200 ms, node-2: "
              "no answer within 200 ms)")
        << job;
  }
}

TEST_F(SwarmHostsTest, AListThatNoHostAnswersIsAnError) {
  options().membership.failure_retry = 1000;  // silent, and healthy as far as anybody knows
  start();
  one_.hang();
  two_.hang();
  const auto result = call("container_list", {}, {{"all", "1"}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);
}

TEST_F(SwarmHostsTest, AHungHostCostsItsOwnPartOfAListAndIsNamed) {
  start();
  create("a");
  create("b");
  one_.hang();
  const auto begin = std::chrono::steady_clock::now();
  const auto result = call("container_list");
  ASSERT_TRUE(result.has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(document(result).size(), 1U);
  const auto warnings = result->env.getList("warnings");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_TRUE(warnings[0].starts_with("node-1: no answer within "));
  EXPECT_TRUE(call("container_start", {two_.names().at(0)}).has_value());
}

TEST_F(SwarmHostsTest, ContainersOfAHostThatIsDownAreShownAsSuch) {
  start();
  create("a");
  create("b");
  const std::string lost = one_.names().at(0);
  one_.hang();
  ASSERT_TRUE(becomes("node-1", "Unhealthy"));
  EXPECT_EQ(document(call("container_list")).size(), 1U);
  const auto rows = document(call("container_list", {}, {{"all", "1"}}));
  ASSERT_EQ(rows.size(), 2U);
  const auto& down = rows[0]["Status"] == "Host Down" ? rows[0] : rows[1];
  EXPECT_EQ(down["Status"], "Host Down");
  EXPECT_EQ(down["Names"][0], "/node-1/" + lost);
  const auto refused = call("container_start", {lost});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
  EXPECT_TRUE(refused.error().message().starts_with("Container " + lost +
                                                    " running on unhealthy node node-1"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(create("late" + std::to_string(i)), "");
  }
  EXPECT_EQ(two_.names().size(), 4U);
}

TEST_F(SwarmHostsTest, ContainersOfAHostThatIsDownHaveAllLabelsThatAreAskedFor) {
  one_.put({.id = "a1", .name = "both", .image = "busybox", .labels = {{"x", "1"}, {"y", "2"}}});
  one_.put({.id = "a2", .name = "one", .image = "busybox", .labels = {{"x", "1"}}});
  start();
  one_.hang();
  ASSERT_TRUE(becomes("node-1", "Unhealthy"));
  const auto list =
      document(call("container_list", {}, {{"all", "1"}, {"filters", R"({"label":["x=1","y"]})"}}));
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["Names"][0], "/node-1/both");
}

TEST_F(SwarmHostsTest, WhatWaitsForAHostThatGoesDownIsToldSo) {
  start();
  create("a");
  create("b");
  const std::string lost = one_.names().at(0);
  one_.hang();
  const auto result = call("container_start", {lost});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);
}

TEST_F(SwarmHostsTest, AWaitOutlastsAHostThatIsAwayForAWhile) {
  start();
  create("a");
  create("b");
  Job job;
  job.name = "container_wait";
  job.args = {one_.names().at(0)};
  const auto waiting = submit(std::move(job));
  ASSERT_TRUE(eventually([&] { return waiting->established.load(); }));
  one_.hang();
  ASSERT_TRUE(becomes("node-1", "Unhealthy"));
  EXPECT_FALSE(waiting->finished());
  cluster().cancel(waiting->job_id);
}

TEST_F(SwarmHostsTest, AHostThatHasAnsweredMayGoBeforeTheOthersAnswer) {
  two_.addImage("extra", "sha256:extra");
  start();
  two_.hang();
  Job job;
  job.name = "image_inspect";
  job.args = {"extra"};
  const auto asking = submit(std::move(job));
  ASSERT_TRUE(eventually([&] { return !two_.jobs().empty(); }));
  list({"node-2"});  // node-1 has said that it has no such image
  onLoop([] {});
  EXPECT_FALSE(asking->finished());
  onLoop([&] { two_.answerKept(); });
  EXPECT_EQ(document(asking->future.get())["On"], "node-2");
}

TEST_F(SwarmHostsTest, AQuestionWhoseClientLeftIsAskedNoLonger) {
  options().membership.deadline = std::chrono::seconds(20);  // of probes, which are kept, too
  start();
  onLoop([this] {
    one_.hang();
    two_.hang();
  });
  Job job;
  job.name = "image_inspect";
  job.args = {"busybox"};
  const auto asking = submit(std::move(job));
  ASSERT_TRUE(eventually([&] { return !one_.jobs().empty() && !two_.jobs().empty(); }));
  cluster().cancel(asking->job_id);
  EXPECT_TRUE(eventually([&] { return asking->finished(); }));
  EXPECT_EQ(one_.keptUncancelled("image_inspect") + two_.keptUncancelled("image_inspect"), 0U);
}

/// One host that was up and is silent, and one that was never heard of.
class AbsentHostsTest : public TwoHosts {
 protected:
  void startWithAbsentHosts() {
    start();
    create("a");
    create("b");
    one_.hang();
    ASSERT_TRUE(becomes("node-1", "Unhealthy"));
    list({"node-1", "node-2", "node-3"});
    ASSERT_TRUE(eventually([&] { return !infoOf("node-3")["Error"].empty(); }));
  }

  void expectWarnings(const std::string& job, const JobResult& result) {
    ASSERT_TRUE(result.has_value()) << job << ": " << message(result);
    const auto warnings = result->env.getList("warnings");
    EXPECT_EQ(warnings, kWarnings) << job;
  }

  const std::vector<std::string> kWarnings = {
      "node-1: no answer within 200 ms", "node-3:1: no engine has announced itself at node-3:1"};
};

TEST_F(AbsentHostsTest, AreNamedInEveryMergedAnswer) {
  startWithAbsentHosts();
  for (const char* job : {"container_list", "image_list", "network_list", "volume_list", "info"}) {
    expectWarnings(job, call(job));
  }
  expectWarnings("image_tag", call("image_tag", {"busybox"}));
  expectWarnings("volume_create", call("volume_create", {}, {}, R"({"Name":"v"})"));
  expectWarnings("volume_remove", call("volume_remove", {"v"}));
  expectWarnings("image_remove", call("image_remove", {"busybox"}));
  const auto filtered = call("container_list", {}, {{"filters", R"({"node":["node-2"]})"}});
  EXPECT_EQ(filtered->env.getList("warnings"), std::vector<std::string>{}) << "not asked about";
}

TEST_F(AbsentHostsTest, MayHaveWhatTheOthersDoNotHave) {
  startWithAbsentHosts();
  for (const auto& [job, arguments] : kQuestions) {
    if (arguments.empty()) {
      continue;
    }
    const auto result = call(job, {"unheard-of"});
    ASSERT_FALSE(result) << job;
    if (job == "image_inspect") {
      EXPECT_EQ(result.error().kind(), ErrorKind::NotFound) << "clients pull it then";
      continue;
    }
    EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable) << job << ": " << message(result);
    EXPECT_TRUE(message(result).ends_with(" on the nodes that answered (" + kWarnings[0] + ", " +
                                          kWarnings[1] + ")"))
        << job << ": " << message(result);
  }
}

TEST_F(AbsentHostsTest, DoNotKeepContainersFromBeingMade) {
  startWithAbsentHosts();
  const auto missing = call("container_create", {}, {{"id", "x"}}, R"({"Image":"nowhere"})");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::NotFound) << "clients pull it then";
  const auto named =
      call("container_create", {}, {{"id", "y"}, {"name", "c"}}, R"({"Image":"busybox"})");
  expectWarnings("container_create", named);  // they may hold the name
  EXPECT_EQ(document(call("container_inspect", {"c"}))["On"], "node-2");
  expectWarnings("container_rename", call("container_rename", {"c"}, {{"name", "d"}}));
  EXPECT_TRUE(call("container_remove", {"d"}).has_value());
}

}  // namespace
}  // namespace flotilla::gateway
