#include <gtest/gtest.h>

#include <future>

#include "api-gateway/cluster/testing/two_hosts.h"

namespace flotilla::gateway {
namespace {

/// Names of containers, each of which the whole cluster has once.
class SwarmNamesTest : public TwoHosts {
 protected:
  static Job creating(const std::string& id, const std::string& name) {
    Job job;
    job.name = "container_create";
    job.env.set("id", id);
    job.env.set("name", name);
    job.body = R"({"Image":"busybox"})";
    return job;
  }
};

TEST_F(SwarmNamesTest, LearnsOfForeignContainersFromEvents) {
  start();
  two_.put({.id = "feed01", .name = "stranger", .image = "busybox"});
  const auto known = [&] {
    const auto refused = call("container_create", {}, {{"id", "x1"}, {"name", "stranger"}},
                              R"({"Image":"busybox"})");
    return message(refused).find("already in use by container \"feed01\"") != std::string::npos;
  };
  EXPECT_TRUE(known());
}

TEST_F(SwarmNamesTest, NamesAreUniqueInTheWholeCluster) {
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

TEST_F(SwarmNamesTest, OneOfTwoAtTheSameTimeGetsTheName) {
  start();
  std::vector<std::shared_ptr<Outcome>> outcomes;
  for (int i = 0; i < 6; ++i) {
    outcomes.push_back(submit(creating("id" + std::to_string(i), "single")));
  }
  int made = 0;
  for (const auto& outcome : outcomes) {
    made += outcome->future.get().has_value() ? 1 : 0;
  }
  EXPECT_EQ(made, 1);
  EXPECT_EQ(one_.names().size() + two_.names().size(), 1U);
}

TEST_F(SwarmNamesTest, ANameStaysReservedForAsLongAsItsCreateTakes) {
  options().times.reservation = std::chrono::milliseconds(30);
  options().membership.deadline = std::chrono::seconds(20);  // its host is thought well of
  start();
  one_.hang();
  two_.hang();
  const auto first = submit(creating("id1", "single"));
  std::this_thread::sleep_for(5 * options().times.reservation);  // it would have run out
  const JobResult refused = call(creating("id2", "single"));
  EXPECT_TRUE(message(refused).find("already in use by container \"id1\"") != std::string::npos)
      << message(refused);
  EXPECT_FALSE(first->finished());
}

TEST_F(SwarmNamesTest, ANameIsFreeOnceTheClientOfItsCreateLeft) {
  start();
  one_.hang();
  two_.hang();
  std::promise<Result<void>> reserved;
  onLoop([&] {
    Job job = creating("id1", "single");
    job.id = "creating";
    cluster().submit(std::move(job), {.on_established = nullptr, .on_result = nullptr});
    cluster().cancel("creating");  // while its name is being reserved
    reactor().post([&] {           // after the reservation's answer
      directory().reserveName("single", "another", std::chrono::seconds(60),
                              [&](Result<void> result) { reserved.set_value(std::move(result)); });
    });
  });
  EXPECT_TRUE(reserved.get_future().get().has_value());
}

TEST_F(SwarmNamesTest, CreatesUnderWayLetGoOfNamesWhenTheClusterEnds) {
  options().membership.deadline = std::chrono::seconds(20);  // their hosts are thought well of
  start();
  one_.hang();
  two_.hang();
  const auto sent = submit(creating("id-sent", "sent"));
  ASSERT_TRUE(eventually([&] { return one_.jobs().size() + two_.jobs().size() == 1; }));
  const auto asked = submit(creating("id-asked", "asked"));  // whether anybody has the name
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

TEST_F(SwarmNamesTest, ContainersWithoutANameGetOne) {
  start();
  ASSERT_NE(create(""), "");
  ASSERT_NE(create(""), "");
  EXPECT_FALSE(one_.names().at(0).empty());
  EXPECT_NE(one_.names(), two_.names());
}

}  // namespace
}  // namespace flotilla::gateway
