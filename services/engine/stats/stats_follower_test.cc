#include "engine/stats/stats_follower.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "common/testing/loop.h"

namespace flotilla::engine {
namespace {

/// A reader that takes `room` bytes in all, and leaves when told.
class Reader final : public net::Stream {
 public:
  void start(std::function<void()> on_readable, std::function<void()> on_writable) override {
    on_readable_ = std::move(on_readable);
    on_writable_ = std::move(on_writable);
  }
  void enableRead(bool) override {}
  Result<std::size_t> read(char*, std::size_t) override {
    return left_ ? Result<std::size_t>(0U) : Error{ErrorKind::Unavailable, "nothing yet"};
  }
  Result<std::size_t> write(std::string_view bytes) override {
    const std::size_t taken = std::min(bytes.size(), room_);
    room_ -= taken;
    text_ += bytes.substr(0, taken);
    return taken;
  }
  void shutdownWrite() override { ended_ = true; }
  void close() override { closed_ = true; }
  void abort() override { closed_ = true; }

  void leave() {
    left_ = true;
    on_readable_();
  }
  void takeMore(std::size_t bytes) {
    room_ += bytes;
    on_writable_();
  }
  [[nodiscard]] std::ptrdiff_t lines() const {
    return std::count(text_.begin(), text_.end(), '\n');
  }

  std::function<void()> on_readable_, on_writable_;
  std::string text_;
  std::size_t room_ = 1U << 20U;
  bool left_ = false, ended_ = false, closed_ = false;
};

class StatsFollowerTest : public ::testing::Test {
 protected:
  std::shared_ptr<StatsFollower> follow(StatsFollower::Mode mode) {
    StatsFollower::Options options;
    options.mode = mode;
    options.interval = std::chrono::milliseconds(2);
    options.look = [this] { return look(); };
    auto follower = std::make_shared<StatsFollower>(*reactor_, pool_, std::move(options));
    follower->start(reader_, [this] { done_ = true; });
    return follower;
  }
  std::optional<StatsLook> look() {
    ++looks_;
    if (!exists_) {
      return std::nullopt;
    }
    StatsLook look{{"/c", "id"}, {}};
    if (runs_) {
      look.sample.read_ns = 1'000'000'000LL * looks_;
      look.sample.usage.emplace();
    }
    return look;
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  ThreadPool pool_{{"looks", 1}};
  std::shared_ptr<Reader> reader_ = std::make_shared<Reader>();
  std::atomic<int> looks_{0};
  std::atomic<bool> exists_{true}, runs_{true};
  bool done_ = false;
};

TEST_F(StatsFollowerTest, OneShotIsOneNamelessLook) {
  follow(StatsFollower::Mode::OneShot);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_EQ(looks_, 1);
  EXPECT_EQ(reader_->lines(), 1);
  EXPECT_TRUE(reader_->text_.starts_with(
      R"({"read":"1970-01-01T00:00:01Z","preread":"0001-01-01T00:00:00Z")"));
  EXPECT_TRUE(until([&] { return reader_->ended_ && reader_->closed_; }));
}

TEST_F(StatsFollowerTest, SingleComparesTwoLooks) {
  follow(StatsFollower::Mode::Single);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_EQ(looks_, 2);
  EXPECT_EQ(reader_->lines(), 1);
  EXPECT_TRUE(reader_->text_.starts_with(
      R"({"name":"/c","id":"id","read":"1970-01-01T00:00:02Z","preread":"1970-01-01T00:00:01Z")"));
}

TEST_F(StatsFollowerTest, AContainerThatDoesNotRunNeedsOneLookAndHasAName) {
  runs_ = false;
  follow(StatsFollower::Mode::Single);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_EQ(looks_, 1);
  EXPECT_TRUE(
      reader_->text_.starts_with(R"({"name":"/c","id":"id","read":"0001-01-01T00:00:00Z")"));
}

TEST_F(StatsFollowerTest, StreamsThroughAStopAndEndsWithTheContainer) {
  follow(StatsFollower::Mode::Stream);
  ASSERT_TRUE(until([&] { return reader_->lines() >= 3; }));
  runs_ = false;
  ASSERT_TRUE(
      until([&] { return reader_->text_.find(R"("memory_stats":{}})") != std::string::npos; }));
  EXPECT_FALSE(done_);
  exists_ = false;
  ASSERT_TRUE(until([&] { return done_; }));
}

TEST_F(StatsFollowerTest, EndsWhenTheReaderLeaves) {
  follow(StatsFollower::Mode::Stream);
  ASSERT_TRUE(until([&] { return reader_->lines() >= 1; }));
  reader_->leave();
  ASSERT_TRUE(until([&] { return done_; }));
}

TEST_F(StatsFollowerTest, EndsWhenCancelled) {
  const auto follower = follow(StatsFollower::Mode::Stream);
  follower->cancel();
  ASSERT_TRUE(until([&] { return done_; }));
}

TEST_F(StatsFollowerTest, ASlowReaderGetsWholeDocumentsAndNoBacklog) {
  reader_->room_ = 10;
  follow(StatsFollower::Mode::Stream);
  ASSERT_TRUE(until([&] { return looks_ >= 20; }));
  EXPECT_EQ(reader_->text_.size(), 10U);
  exists_ = false;  // no document is begun any more
  reader_->takeMore(1U << 20U);
  EXPECT_EQ(reader_->lines(), 1);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_LE(reader_->lines(), 2);
}

TEST_F(StatsFollowerTest, ASlowReaderStillGetsTheOnlyDocument) {
  reader_->room_ = 10;
  follow(StatsFollower::Mode::OneShot);
  ASSERT_TRUE(until([&] { return reader_->text_.size() == 10; }));
  EXPECT_FALSE(done_);
  reader_->takeMore(1U << 20U);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_EQ(reader_->lines(), 1);
}

}  // namespace
}  // namespace flotilla::engine
