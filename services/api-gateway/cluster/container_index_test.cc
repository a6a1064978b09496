#include "api-gateway/cluster/container_index.h"

#include <gtest/gtest.h>

namespace flotilla::gateway {
namespace {

HostPtr host(const std::string& name) {
  auto made = std::make_shared<Host>();
  made->facts.name = name;
  made->state = HostState::Healthy;
  return made;
}

ContainerRow row(const std::string& id, const std::string& name) {
  ContainerRow made;
  made.id = id;
  made.name = name;
  made.state = "running";
  made.summary = "{}";
  return made;
}

class ContainerIndexTest : public testing::Test {
 protected:
  ContainerIndexTest() {
    index_.put(one_, row("aa11", "web"));
    index_.put(one_, row("aa22", "db"));
    index_.put(two_, row("bb11", "cache"));
  }

  HostPtr hostOf(std::string_view reference) {
    const auto found = index_.find(reference);
    return found.entry == nullptr ? nullptr : found.entry->host;
  }

  HostPtr one_ = host("node-1"), two_ = host("node-2");
  ContainerIndex index_;
};

TEST_F(ContainerIndexTest, FindsByIdNameAndUnambiguousPrefix) {
  EXPECT_EQ(hostOf("aa11"), one_);
  EXPECT_EQ(hostOf("web"), one_);
  EXPECT_EQ(hostOf("/cache"), two_);
  EXPECT_EQ(hostOf("bb"), two_);
  EXPECT_EQ(hostOf("nope"), nullptr);
  EXPECT_EQ(hostOf(""), nullptr);
}

TEST_F(ContainerIndexTest, ANameWinsOverAPrefixOfAnId) {
  index_.put(two_, row("cc11", "aa"));
  EXPECT_EQ(hostOf("aa"), two_);
}

TEST_F(ContainerIndexTest, NamesTheHostsOfWhatIsAmbiguous) {
  const auto prefix = index_.find("aa");
  EXPECT_EQ(prefix.entry, nullptr);
  EXPECT_EQ(prefix.hosts.size(), 2U);
  index_.put(two_, row("dd11", "web"));
  EXPECT_EQ(index_.find("web").hosts, (std::vector<std::string>{"node-1", "node-2"}));
  EXPECT_EQ(index_.findOn(*two_, "web").entry->row.id, "dd11");
}

TEST_F(ContainerIndexTest, FollowsRenamesAndRemovals) {
  index_.rename("aa11", "front");
  EXPECT_EQ(hostOf("web"), nullptr);
  EXPECT_EQ(hostOf("front"), one_);
  EXPECT_TRUE(index_.named("web").empty());
  index_.putExec("e1", "aa11");
  ASSERT_NE(index_.byExec("e1"), nullptr);
  index_.remove("aa11");
  EXPECT_EQ(hostOf("front"), nullptr);
  EXPECT_EQ(index_.byExec("e1"), nullptr);
}

TEST_F(ContainerIndexTest, AReportReplacesWhatIsOlderThanItsQuestion) {
  const auto asked_at = index_.moment();
  index_.put(one_, row("ee11", "fresh"));  // made while the report was under way
  index_.setState("aa11", "exited");       // changed meanwhile
  auto stale = row("aa11", "web");
  index_.replace(one_, {stale}, asked_at);
  EXPECT_EQ(hostOf("db"), nullptr) << "not in the report";
  EXPECT_EQ(hostOf("fresh"), one_);
  EXPECT_EQ(index_.byId("aa11")->row.state, "exited");
  EXPECT_EQ(hostOf("cache"), two_) << "another host's";
}

TEST_F(ContainerIndexTest, AReportOfOneReferenceSettlesWhatItNames) {
  const auto asked_at = index_.moment();
  index_.put(two_,
             row("dd11", "web"));  // it moved there meanwhile, and the first host does not know it
  ASSERT_EQ(hostOf("web"), nullptr) << "ambiguous";
  index_.replaceNamed(two_, "web", {}, asked_at);
  ASSERT_EQ(hostOf("web"), nullptr) << "made after the question";
  index_.replaceNamed(one_, "web", {}, asked_at);
  EXPECT_EQ(hostOf("web"), two_);
  EXPECT_EQ(hostOf("db"), one_) << "not what the reference names";
  index_.replaceNamed(one_, "front", {row("ff11", "front")}, index_.moment());
  EXPECT_EQ(hostOf("front"), one_);
}

TEST_F(ContainerIndexTest, SumsUpWhatAHostHolds) {
  auto big = row("ff11", "big");
  big.nano_cpus = 1'500'000'000;
  big.memory = 1024;
  index_.put(two_, big);
  EXPECT_EQ(index_.use(*two_).containers, 2);
  EXPECT_EQ(index_.use(*two_).running, 2);
  EXPECT_EQ(index_.use(*two_).nano_cpus, 1'500'000'000);
  index_.setState("ff11", "exited");
  EXPECT_EQ(index_.use(*two_).running, 1);
  EXPECT_EQ(index_.use(*two_).memory, 1024) << "stopped ones are reserved too";
  index_.remove("ff11");
  EXPECT_EQ(index_.use(*two_).nano_cpus, 0);
  index_.dropHost(*two_);
  EXPECT_EQ(index_.use(*two_).containers, 0);
  EXPECT_EQ(index_.size(), 2U);
}

}  // namespace
}  // namespace flotilla::gateway
