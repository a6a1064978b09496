#include "api-gateway/cluster/swarm_cluster.h"

#include <gtest/gtest.h>

#include "api-gateway/cluster/testing/cluster_fixture.h"

namespace flotilla::gateway {
namespace {

class SwarmClusterTest : public ClusterFixture {
 protected:
  SwarmClusterTest() : one_(engine("node-1")), two_(engine("node-2")) {}

  FakeEngine& of(const std::string& container) { return one_.has(container) ? one_ : two_; }
  FakeEngine& other(const std::string& container) { return one_.has(container) ? two_ : one_; }

  FakeEngine& one_;
  FakeEngine& two_;
};

TEST_F(SwarmClusterTest, SpreadsContainers) {
  start();
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(create("c" + std::to_string(i)), "");
  }
  EXPECT_EQ(one_.names().size(), 5U);
  EXPECT_EQ(two_.names().size(), 5U);
}

TEST_F(SwarmClusterTest, SpreadsWhatIsCreatedAtTheSameTime) {
  start();
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 10; ++i) {
    Job job;
    job.name = "container_create";
    job.env.set("id", "id" + std::to_string(i));
    job.body = R"({"Image":"busybox"})";
    outcomes.push_back(submit(std::move(job)));
  }
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome->future.get().has_value());
  }
  EXPECT_EQ(one_.names().size(), 5U);
}

TEST_F(SwarmClusterTest, FindsContainersByEveryForm) {
  start();
  const std::string id = create("web");
  const std::string node = one_.has("web") ? "node-1" : "node-2";
  for (const std::string& reference : {id, std::string("web"), std::string("/web"), node + "/web",
                                       of("web").id() + "/web", id.substr(0, 63)}) {
    const auto result = call("container_inspect", {reference});
    EXPECT_EQ(document(result)["Id"], id) << reference;
  }
  EXPECT_TRUE(other("web").jobs().empty()) << "the other host was bothered";
}

TEST_F(SwarmClusterTest, SaysWhatIsAmbiguous) {
  start();
  create("a");
  create("b");
  const auto result = call("container_inspect", {std::string(60, 'a')});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::InvalidArgument);
  EXPECT_TRUE(result.error().message().starts_with("multiple IDs found with provided prefix: " +
                                                   std::string(60, 'a')));
}

TEST_F(SwarmClusterTest, LooksForWhatItDoesNotKnow) {
  start();
  two_.put({.id = "feed01", .name = "stranger", .image = "busybox"});
  EXPECT_EQ(document(call("container_inspect", {"stranger"}))["On"], "node-2");
  const auto missing = call("container_inspect", {"nobody"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::NotFound);
  EXPECT_EQ(missing.error().message(), "No such container: nobody");
}

TEST_F(SwarmClusterTest, LooksAgainForWhatHasMoved) {
  start();
  const std::string id = create("wanderer");
  FakeEngine& old_home = of("wanderer");
  FakeEngine& new_home = other("wanderer");
  // Without a word: the stream of events is broken first.
  old_home.dropStreams();
  onLoop([] {});
  old_home.remove(id);
  new_home.put({.id = "beef01", .name = "wanderer", .image = "busybox"});
  EXPECT_EQ(document(call("container_start", {"wanderer"}))["Id"], "beef01");
}

TEST_F(SwarmClusterTest, LearnsOfForeignContainersFromEvents) {
  start();
  two_.put({.id = "feed01", .name = "stranger", .image = "busybox"});
  const auto known = [&] {
    const auto refused = call("container_create", {}, {{"id", "x1"}, {"name", "stranger"}},
                              R"({"Image":"busybox"})");
    return message(refused).find("already in use by container \"feed01\"") != std::string::npos;
  };
  EXPECT_TRUE(known());
}

TEST_F(SwarmClusterTest, NamesAreUniqueInTheWholeCluster) {
  start();
  const std::string id = create("web");
  const auto refused =
      call("container_create", {}, {{"id", "x1"}, {"name", "/web"}}, R"({"Image":"busybox"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), ErrorKind::Conflict);
  EXPECT_EQ(refused.error().message(),
            "Conflict. The container name \"/web\" is already in use by container \"" + id +
                "\". You have to remove (or rename) that container to be able to reuse that name.");
  create("db");
  const auto renamed = call("container_rename", {"db"}, {{"name", "web"}});
  ASSERT_FALSE(renamed);
  EXPECT_TRUE(renamed.error().message().starts_with("Error when allocating new name: Conflict."));
  EXPECT_TRUE(call("container_rename", {"db"}, {{"name", "store"}}).has_value());
  EXPECT_TRUE(call("container_start", {"store"}).has_value());
  EXPECT_TRUE(call("container_remove", {"web"}).has_value());
  EXPECT_NE(create("web"), "") << "a name is free when its container is gone";
}

TEST_F(SwarmClusterTest, OneOfTwoAtTheSameTimeGetsTheName) {
  start();
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 6; ++i) {
    Job job;
    job.name = "container_create";
    job.env.set("id", "id" + std::to_string(i));
    job.env.set("name", "single");
    job.body = R"({"Image":"busybox"})";
    outcomes.push_back(submit(std::move(job)));
  }
  int made = 0;
  for (const auto& outcome : outcomes) {
    made += outcome->future.get().has_value() ? 1 : 0;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(one_.names().size() + two_.names().size(), 1U);
}

TEST_F(SwarmClusterTest, ANameStaysReservedForAsLongAsItsCreateTakes) {
  options().times.reservation = std::chrono::milliseconds(30);
  options().membership.deadline = std::chrono::seconds(20);  // its host is thought well of
  start();
  one_.hang();
  two_.hang();
  const auto creating = [](const std::string& id) {
    Job job;
    job.name = "container_create";
    job.env.set("id", id);
    job.env.set("name", "single");
    job.body = R"({"Image":"busybox"})";
    return job;
  };
  const auto first = submit(creating("id1"));
  std::this_thread::sleep_for(5 * options().times.reservation);
  const JobResult refused = call(creating("id2"));
  EXPECT_TRUE(message(refused).find("already in use by container \"id1\"") != std::string::npos)
      << message(refused);
  EXPECT_FALSE(first->finished());
}

TEST_F(SwarmClusterTest, CreatesUnderWayLetGoOfNamesWhenTheClusterEnds) {
  options().membership.deadline = std::chrono::seconds(20);  // their hosts are thought well of
  start();
  one_.hang();
  two_.hang();
  const auto create_named = [this](const std::string& name) {
    Job job;
    job.name = "container_create";
    job.env.set("id", "id-" + name);
    job.env.set("name", name);
    job.body = R"({"Image":"busybox"})";
    return submit(std::move(job));
  };
  const auto sent = create_named("sent");
  ASSERT_TRUE(eventually([&] { return one_.jobs().size() + two_.jobs().size() == 1; }));
  const auto asked = create_named("asked");  // whether anybody has the name
  onLoop([] {});
  onLoop([] {});
  end();
  for (const std::string name : {"sent", "asked"}) {
    std::promise<Result<void>> reserved;
    onLoop([&] {
      directory().reserveName(name, "another", std::chrono::seconds(60),
                              [&](Result<void> result) { reserved.set_value(std::move(result)); });
    });
    EXPECT_TRUE(reserved.get_future().get().has_value()) << name;
  }
}

TEST_F(SwarmClusterTest, ContainersWithoutANameGetOne) {
  start();
  ASSERT_NE(create(""), "");
  ASSERT_NE(create(""), "");
  EXPECT_FALSE(one_.names().at(0).empty());
  EXPECT_NE(one_.names(), two_.names());
}

TEST_F(SwarmClusterTest, GoesWhereTheImageIs) {
  two_.addImage("special", "sha256:special");
  start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(create("s" + std::to_string(i), R"({"Image":"special"})"), "");
  }
  EXPECT_EQ(two_.names().size(), 3U);
  const auto nowhere =
      call("container_create", {}, {{"id", "x"}, {"name", "n"}}, R"({"Image":"nowhere"})");
  EXPECT_EQ(message(nowhere), "No such image: nowhere");
  EXPECT_NE(create("n"), "") << "the name was let go";
}

TEST_F(SwarmClusterTest, ExecsAreFoundWhereTheirContainerIs) {
  start();
  create("web");
  const auto exec = document(call("exec_create", {"web"}))["Id"].get<std::string>();
  EXPECT_EQ(document(call("exec_inspect", {exec}))["ID"], exec);
  EXPECT_TRUE(other("web").jobs().empty());
  EXPECT_EQ(message(call("exec_inspect", {"nope"})), "No such exec instance: nope");
}

TEST_F(SwarmClusterTest, ListsNameTheNodeAndComeNewestFirst) {
  start();
  create("first");
  create("second");
  const auto rows = document(call("container_list"));
  ASSERT_EQ(rows.size(), 2U);
  std::vector<std::string> names = {rows[0]["Names"][0], rows[1]["Names"][0]};
  std::ranges::sort(names);
  EXPECT_TRUE(names[0].starts_with("/node-1/"));
  EXPECT_TRUE(names[1].starts_with("/node-2/"));
  EXPECT_EQ(document(call("container_list", {}, {{"limit", "1"}})).size(), 1U);
  EXPECT_EQ(document(call("container_list", {}, {{"filters", R"({"node":["node-1"]})"}})).size(),
            1U);
}

TEST_F(SwarmClusterTest, ListsTakePatternsOfNodeNames) {
  start();
  create("first");
  create("second");
  const auto listed = [this](const std::string& node) {
    return call("container_list", {}, {{"filters", "{\"node\":[\"" + node + "\"]}"}});
  };
  const std::map<std::string, std::size_t> cases = {
      {"node-1", 1}, {"ode", 2},     {"^node-1$", 1}, {"^ode", 0},  {"node-$", 0}, {"node-?", 2},
      {"n*2", 1},    {"node-.*", 2}, {"^n.*1$", 1},   {"^*2$", 1},  {"^$", 0},     {"", 2},
      {"*", 2},      {"*x*", 0},     {"n*o*d*e", 2},  {"node.1", 0}};
  for (const auto& [pattern, hosts] : cases) {
    EXPECT_EQ(document(listed(pattern)).size(), hosts) << pattern;
  }
  for (const char* refused : {"(.+)+x", "node-[12]", "a|b", "no{1,9}", "$x", "x^", "\\\\d"}) {
    const auto result = listed(refused);
    ASSERT_FALSE(result) << refused;
    EXPECT_EQ(result.error().kind(), ErrorKind::InvalidArgument) << refused;
  }
  EXPECT_FALSE(listed(std::string(129, 'n')));
}

TEST_F(SwarmClusterTest, AHungHostCostsItsOwnPartOfAListAndIsNamed) {
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

TEST_F(SwarmClusterTest, ContainersOfAHostThatIsDownAreShownAsSuch) {
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

TEST_F(SwarmClusterTest, WhatWaitsForAHostThatGoesDownIsToldSo) {
  start();
  create("a");
  create("b");
  const std::string lost = one_.names().at(0);
  one_.hang();
  const auto result = call("container_start", {lost});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);
}

TEST_F(SwarmClusterTest, AWaitOutlastsAHostThatIsAwayForAWhile) {
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

/// Jobs that ask what there is, or for one thing of it.
const std::vector<std::pair<std::string, std::vector<std::string>>> kQuestions = {
    {"container_list", {}},         {"image_list", {}},
    {"network_list", {}},           {"volume_list", {}},
    {"container_inspect", {"web"}}, {"container_remove", {"web"}},
    {"exec_inspect", {"e1"}},       {"exec_start", {"e1"}},
    {"image_inspect", {"busybox"}}, {"volume_inspect", {"v"}},
    {"network_inspect", {"n"}},     {"image_save", {"busybox"}}};

TEST_F(SwarmClusterTest, IsReadyWhenEveryHostWasTried) {
  two_.hang();
  one_.put({.id = "a1", .name = "web", .image = "busybox"});
  startUnchecked();
  EXPECT_EQ(infoOf("node-1")["Status"], "Healthy");
  EXPECT_EQ(infoOf("node-2")["Error"], "no answer within 200 ms");
  EXPECT_EQ(document(call("container_list")).size(), 1U);
}

TEST_F(SwarmClusterTest, WithoutAHealthyHostNothingIsSaidOfWhatThereIs) {
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

/// One host that was up and is silent, and one that was never heard of.
class AbsentHostsTest : public SwarmClusterTest {
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

TEST_F(SwarmClusterTest, AListThatNoHostAnswersIsAnError) {
  options().membership.failure_retry = 1000;  // silent, and healthy as far as anybody knows
  start();
  one_.hang();
  two_.hang();
  const auto result = call("container_list", {}, {{"all", "1"}});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::Unavailable);
}

TEST_F(SwarmClusterTest, AFilterThatMeansNoHostLeavesAnEmptyList) {
  start();
  EXPECT_EQ(document(call("container_list", {}, {{"filters", R"({"node":["node-9"]})"}})).size(),
            0U);
}

TEST_F(SwarmClusterTest, FiltersByTimeReachHostsThatLackWhatTheyName) {
  one_.put({.id = "a1", .name = "old", .image = "busybox", .created = "2026-01-01T00:00:01Z"});
  two_.put({.id = "b1", .name = "new", .image = "busybox", .created = "2026-01-01T00:00:02Z"});
  two_.addImage("special", "sha256:special");
  start();
  const auto listed = [this](const std::string& job, const std::string& filters) {
    return call(job, {}, {{"filters", filters}});
  };
  EXPECT_TRUE(
      listed("container_list", R"({"since":["old"],"before":["node-2/new"],"label":{"a":true}})"));
  for (FakeEngine* engine : {&one_, &two_}) {
    EXPECT_EQ(engine->filters(),
              "{\"before\":[\"2026-01-01T00:00:02Z\"],\"label\":[\"a\"],"
              "\"since\":[\"2026-01-01T00:00:01Z\"]}");
  }
  EXPECT_TRUE(listed("image_list", R"({"before":["special"]})"));
  EXPECT_EQ(one_.filters(), R"({"before":["0001-01-01T00:00:00Z"]})");
  const auto missing = listed("container_list", R"({"since":["nobody"]})");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind(), ErrorKind::NotFound);
  EXPECT_EQ(message(missing), "No such container: nobody");
}

TEST_F(SwarmClusterTest, ImagesAreMergedById) {
  two_.addImage("extra", "sha256:extra");
  two_.addImage("alias", "sha256:busybox");
  start();
  const auto images = document(call("image_list"));
  ASSERT_EQ(images.size(), 2U);
  const auto& shared = images[0]["Id"] == "sha256:busybox" ? images[0] : images[1];
  EXPECT_EQ(shared["RepoTags"].size(), 2U);
  EXPECT_EQ(document(call("image_inspect", {"extra"}))["On"], "node-2");
  EXPECT_EQ(message(call("image_inspect", {"none"})), "No such image: none");
  EXPECT_EQ(document(call("image_save", {"busybox", "extra"}))["On"], "node-2");
  EXPECT_EQ(document(call("image_remove", {"busybox"})).size(), 1U);
  EXPECT_EQ(message(call("image_remove", {"busybox"})), "No such image: busybox");
}

TEST_F(SwarmClusterTest, AHostThatHasAnsweredMayGoBeforeTheOthersAnswer) {
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

TEST_F(SwarmClusterTest, AQuestionWhoseClientLeftIsAskedNoLonger) {
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

TEST_F(SwarmClusterTest, ANameIsFreeOnceTheClientOfItsCreateLeft) {
  start();
  one_.hang();
  two_.hang();
  std::promise<Result<void>> reserved;
  onLoop([&] {
    Job job;
    job.id = "creating";
    job.name = "container_create";
    job.env.set("id", "id1");
    job.env.set("name", "single");
    job.body = R"({"Image":"busybox"})";
    cluster().submit(std::move(job), {.on_established = nullptr, .on_result = nullptr});
    cluster().cancel("creating");  // while its name is being reserved
    reactor().post([&] {           // after the reservation's answer
      directory().reserveName("single", "another", std::chrono::seconds(60),
                              [&](Result<void> result) { reserved.set_value(std::move(result)); });
    });
  });
  EXPECT_TRUE(reserved.get_future().get().has_value());
}

TEST_F(SwarmClusterTest, JobsThatNoClusterDoesAreRefusedByName) {
  start();
  const auto result = call("unheard_of");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::NotImplemented);
}

}  // namespace
}  // namespace flotilla::gateway
