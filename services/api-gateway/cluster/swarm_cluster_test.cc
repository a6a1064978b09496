#include <gtest/gtest.h>

#include "api-gateway/cluster/testing/two_hosts.h"

namespace flotilla::gateway {
namespace {

/// Where containers go, and how they are found again.
class SwarmClusterTest : public TwoHosts {};

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

TEST_F(SwarmClusterTest, ExecsAreFoundWhereTheirContainerIs) {
  start();
  create("web");
  const auto exec = document(call("exec_create", {"web"}))["Id"].get<std::string>();
  EXPECT_EQ(document(call("exec_inspect", {exec}))["ID"], exec);
  EXPECT_TRUE(other("web").jobs().empty());
  EXPECT_EQ(message(call("exec_inspect", {"nope"})), "No such exec instance: nope");
}

TEST_F(SwarmClusterTest, JobsThatNoClusterDoesAreRefusedByName) {
  start();
  const auto result = call("unheard_of");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind(), ErrorKind::NotImplemented);
}

}  // namespace
}  // namespace flotilla::gateway
