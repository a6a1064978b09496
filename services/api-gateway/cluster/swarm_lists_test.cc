#include <gtest/gtest.h>

#include "api-gateway/cluster/testing/two_hosts.h"

namespace flotilla::gateway {
namespace {

/// One list of those of all hosts.
class SwarmListsTest : public TwoHosts {};

TEST_F(SwarmListsTest, ListsNameTheNodeAndComeNewestFirst) {
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

TEST_F(SwarmListsTest, ListsTakePatternsOfNodeNames) {
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

TEST_F(SwarmListsTest, AFilterThatMeansNoHostLeavesAnEmptyList) {
  start();
  EXPECT_EQ(document(call("container_list", {}, {{"filters", R"({"node":["node-9"]})"}})).size(),
            0U);
}

TEST_F(SwarmListsTest, FiltersByTimeReachHostsThatLackWhatTheyName) {
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

TEST_F(SwarmListsTest, ImagesAreMergedById) {
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

}  // namespace
}  // namespace flotilla::gateway
