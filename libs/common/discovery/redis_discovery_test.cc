#include "common/discovery/redis_discovery.h"

#include <gtest/gtest.h>

#include <optional>

#include "common/redis/testing/redis_server.h"
#include "common/testing/loop.h"

namespace flotilla {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RedisDiscoveryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::RedisServer::installed()) {
      GTEST_SKIP() << "redis-server is not installed";
    }
    server_ = testing::RedisServer::start().value();
  }

  std::unique_ptr<Discovery> source(const std::string& cluster = "c") {
    DiscoveryOptions options;
    options.heartbeat = milliseconds(50);
    options.cluster = cluster;
    options.announce_failed = [this](const Error& why) { refusal_ = why.message(); };
    return makeDiscovery(server_->url(), *reactor_, options).value();
  }

  std::unique_ptr<Discovery::Watch> watch(Discovery& source) {
    return source.watch([this](Result<DiscoveryEntries> entries) {
      if (entries) {
        seen_ = *std::move(entries);
      } else {
        ++errors_;
      }
    });
  }
  bool sees(const DiscoveryEntries& wanted) {
    return testing::runUntil(*reactor_, [&] { return seen_ == wanted; });
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<testing::RedisServer> server_;
  std::optional<DiscoveryEntries> seen_;
  std::string refusal_;
  int errors_ = 0;
};

TEST_F(RedisDiscoveryTest, ListsWhatIsAnnouncedUntilItsTimeEnds) {
  const auto gateway = source();
  const auto watching = watch(*gateway);
  ASSERT_TRUE(sees({}));
  const auto engine = source();
  ASSERT_TRUE(engine->announce("10.0.0.2:2374", seconds(60)));
  ASSERT_TRUE(engine->announce("10.0.0.1:2374", seconds(1)));
  EXPECT_TRUE(sees({"10.0.0.1:2374", "10.0.0.2:2374"}));
  EXPECT_TRUE(sees({"10.0.0.2:2374"})) << "its second is over";
  EXPECT_FALSE(engine->announce("nowhere", seconds(1)));
  EXPECT_EQ(refusal_, "");
}

TEST_F(RedisDiscoveryTest, ClustersAreApart) {
  const auto gateway = source("a");
  const auto watching = watch(*gateway);
  const auto engine = source("b");
  ASSERT_TRUE(engine->announce("10.0.0.1:2374", seconds(60)));
  const auto own = source("a");
  ASSERT_TRUE(own->announce("10.0.0.2:2374", seconds(60)));
  EXPECT_TRUE(sees({"10.0.0.2:2374"}));
}

TEST_F(RedisDiscoveryTest, ARedisThatForgotIsToldAgain) {
  const auto engine = source();
  ASSERT_TRUE(engine->announce("10.0.0.1:2374", seconds(600)));
  const auto gateway = source();
  const auto watching = watch(*gateway);
  ASSERT_TRUE(sees({"10.0.0.1:2374"}));
  server_->kill();
  EXPECT_TRUE(testing::runUntil(*reactor_, [this] { return errors_ > 0; })) << "being away is told";
  seen_.reset();
  server_->dropData();
  ASSERT_TRUE(server_->restart());
  const auto another = source();
  const auto fresh = watch(*another);
  EXPECT_TRUE(sees({"10.0.0.1:2374"}));
}

}  // namespace
}  // namespace flotilla
