#include "discovery/membership/clusters.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace flotilla::discovery {
namespace {

using std::chrono::seconds;
using Entries = std::vector<std::string>;

class ClustersTest : public testing::Test {
 protected:
  ClustersTest() {
    std::string pattern = testing::TempDir() + "flotilla-clusters-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~ClustersTest() override { std::filesystem::remove_all(folder_); }
  ClustersTest(const ClustersTest&) = delete;
  ClustersTest& operator=(const ClustersTest&) = delete;

  Clusters open() {
    return Clusters::open({.file = file(),
                           .max_clusters = 3,
                           .max_entries = 2,
                           .now = [this] { return now_; }})
        .value();
  }
  [[nodiscard]] std::string file() const { return folder_ + "/clusters.json"; }

  std::string folder_;
  std::int64_t now_ = 1'000'000;
};

TEST_F(ClustersTest, EntriesLiveAsLongAsTheySaid) {
  Clusters clusters = open();
  const std::string token = clusters.create().value();
  EXPECT_EQ(token.size(), 32U);
  EXPECT_EQ(clusters.list(token).value(), Entries{});
  ASSERT_TRUE(clusters.announce(token, "b:1", seconds(10)));
  ASSERT_TRUE(clusters.announce(token, "a:1", seconds(20)));
  EXPECT_EQ(clusters.list(token).value(), (Entries{"b:1", "a:1"}));
  now_ += 9;
  ASSERT_TRUE(clusters.announce(token, "b:1", seconds(10)));
  now_ += 9;
  EXPECT_EQ(clusters.list(token).value(), (Entries{"b:1", "a:1"}));
  now_ += 2;
  EXPECT_EQ(clusters.list(token).value(), Entries{});
}

TEST_F(ClustersTest, SurviveARestart) {
  std::string token;
  {
    Clusters clusters = open();
    token = clusters.create().value();
    ASSERT_TRUE(clusters.announce(token, "a:1", seconds(10)));
    ASSERT_TRUE(clusters.announce(token, "b:1", seconds(30)));
    ASSERT_TRUE(clusters.keep());
  }
  now_ += 15;
  Clusters again = open();
  EXPECT_EQ(again.list(token).value(), Entries{"b:1"});
  EXPECT_EQ(again.clusters(), 1U);
}

TEST_F(ClustersTest, ANewClusterIsOnDiskBeforeItIsTold) {
  const std::string token = open().create().value();  // no keep()
  EXPECT_TRUE(open().list(token));
}

TEST_F(ClustersTest, BadInputIsRefused) {
  Clusters clusters = open();
  const std::string token = clusters.create().value();
  for (const std::string& bad : {std::string(), std::string("a"), std::string("a:0"),
                                 std::string("\"a:1\""), std::string(300, 'a') + ":1"}) {
    EXPECT_EQ(clusters.announce(token, bad, seconds(1)).error().kind(), ErrorKind::InvalidArgument)
        << bad;
  }
  EXPECT_EQ(clusters.announce(token, "a:1", seconds(0)).error().kind(), ErrorKind::InvalidArgument);
  EXPECT_EQ(clusters.announce(token, "a:1", seconds(100'000'000)).error().kind(),
            ErrorKind::InvalidArgument);
  EXPECT_EQ(clusters.announce("0", "a:1", seconds(1)).error().kind(), ErrorKind::NotFound);
  EXPECT_EQ(clusters.list("0").error().kind(), ErrorKind::NotFound);
}

TEST_F(ClustersTest, AreBounded) {
  Clusters clusters = open();
  const std::string token = clusters.create().value();
  ASSERT_TRUE(clusters.announce(token, "a:1", seconds(10)));
  ASSERT_TRUE(clusters.announce(token, "b:1", seconds(10)));
  EXPECT_EQ(clusters.announce(token, "c:1", seconds(10)).error().kind(), ErrorKind::Unavailable);
  ASSERT_TRUE(clusters.create());
  ASSERT_TRUE(clusters.create());
  EXPECT_EQ(clusters.create().error().kind(), ErrorKind::Unavailable);
  now_ += 40 * 24 * 3600;  // nobody used them
  ASSERT_TRUE(clusters.keep());
  EXPECT_TRUE(clusters.create());
}

TEST_F(ClustersTest, RemovedOnesAreGone) {
  Clusters clusters = open();
  const std::string token = clusters.create().value();
  ASSERT_TRUE(clusters.remove(token));
  EXPECT_EQ(clusters.list(token).error().kind(), ErrorKind::NotFound);
  EXPECT_EQ(clusters.remove(token).error().kind(), ErrorKind::NotFound);
  EXPECT_FALSE(open().list(token));
}

TEST_F(ClustersTest, AnotherProgramsFileIsLeftAlone) {
  std::ofstream(file()) << "{\"mine\":1}";
  EXPECT_FALSE(Clusters::open({.file = file(), .now = [] { return 0; }}));
}

}  // namespace
}  // namespace flotilla::discovery
