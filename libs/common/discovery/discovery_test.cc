#include "common/discovery/discovery.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace flotilla {
namespace {

using Lists = std::vector<DiscoveryEntries>;

TEST(DiscoveryEntries, PatternsExpandAsInSwarmClassic) {
  EXPECT_EQ(expandPattern("10.0.0.[10:12]:2375").value(),
            (DiscoveryEntries{"10.0.0.10:2375", "10.0.0.11:2375", "10.0.0.12:2375"}));
  EXPECT_EQ(expandPattern("h[01:03]:1").value(), (DiscoveryEntries{"h1:1", "h2:1", "h3:1"}));
  EXPECT_EQ(expandPattern("[::1]:2375").value(), (DiscoveryEntries{"[::1]:2375"}));
  EXPECT_TRUE(expandPattern("h[3:1]:1").value().empty());
  EXPECT_FALSE(expandPattern("h[1:9999999]:1"));
}

TEST(DiscoveryEntries, NeedAHostAndAPort) {
  for (const auto* good : {"a:1", "10.0.0.1:2375", "[::1]:65535"}) {
    EXPECT_TRUE(checkEntry(good)) << good;
  }
  for (const auto* bad : {"a", "a:", "a:0", "a:65536", ":1", "::1:2375", "a:x"}) {
    EXPECT_FALSE(checkEntry(bad)) << bad;
  }
}

class DiscoveryTest : public testing::Test {
 protected:
  std::unique_ptr<Discovery> make(std::string_view url) {
    return makeDiscovery(url, *reactor_, {.heartbeat = std::chrono::milliseconds(5)}).value();
  }

  std::function<void(Result<DiscoveryEntries>)> record() {
    return [this](Result<DiscoveryEntries> entries) {
      if (entries) {
        lists_.push_back(*std::move(entries));
      } else {
        ++errors_;
      }
      if (lists_.size() + errors_ >= stop_after_) {
        reactor_->stop();
      }
    };
  }

  void runUntil(std::size_t calls) {
    stop_after_ = calls;
    if (lists_.size() + errors_ < calls) {
      reactor_->run();
    }
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  Lists lists_;
  std::size_t errors_ = 0;
  std::size_t stop_after_ = 1000;
};

TEST_F(DiscoveryTest, NodesIsStaticWithOrWithoutItsScheme) {
  for (const auto* url : {"nodes://a:1,b:[2:3]", "a:1,b:[2:3]"}) {
    lists_.clear();
    const auto discovery = make(url);
    const auto watch = discovery->watch(record());
    EXPECT_EQ(lists_, (Lists{{"a:1", "b:2", "b:3"}}));
    EXPECT_EQ(discovery->announce("c:1", std::chrono::seconds(1)).error().kind(),
              ErrorKind::NotImplemented);
  }
}

TEST_F(DiscoveryTest, BadUrlsAreRefusedByName) {
  const auto unknown = makeDiscovery("gopher://x", *reactor_, {});
  EXPECT_NE(unknown.error().message().find("gopher"), std::string::npos);
  const auto bad = makeDiscovery("nodes://a", *reactor_, {});
  EXPECT_NE(bad.error().message().find("\"a\""), std::string::npos);
}

TEST_F(DiscoveryTest, FileIsReadAgainAndToldWhenItChanged) {
  std::string pattern = testing::TempDir() + "flotilla-discovery-XXXXXX";
  const std::string dir = ::mkdtemp(pattern.data());
  const auto write = [&](const char* text) { std::ofstream(dir + "/hosts") << text; };
  const auto discovery = make("file://" + dir + "/hosts");
  const auto watch = discovery->watch(record());
  EXPECT_EQ(errors_, 1U);
  write("# hosts\na:1 # first\n\nb:[1:2]\n");
  while (lists_.empty()) {  // errors go on until the file is there
    runUntil(lists_.size() + errors_ + 1);
  }
  write("b:1\n");
  runUntil(lists_.size() + errors_ + 1);
  EXPECT_EQ(lists_, (Lists{{"a:1", "b:1", "b:2"}, {"b:1"}}));
  std::filesystem::remove_all(dir);
}

TEST_F(DiscoveryTest, MemoryForgetsWhatIsNotAnnouncedAgain) {
  const auto discovery = make("memory://");
  const auto watch = discovery->watch(record());
  ASSERT_TRUE(discovery->announce("a:1", std::chrono::seconds(0)));
  EXPECT_FALSE(discovery->announce("nonsense", std::chrono::seconds(1)));
  runUntil(3);
  EXPECT_EQ(lists_, (Lists{{}, {"a:1"}, {}}));
}

}  // namespace
}  // namespace flotilla
