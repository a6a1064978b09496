#include "engine/jobs/log_jobs.h"

#include <gtest/gtest.h>

#include <array>

#include "common/job/testing/recorded_context.h"
#include "common/stream/stream_client.h"
#include "common/testing/loop.h"
#include "engine/logs/test_log.h"

namespace flotilla::engine {
namespace {

using flotilla::testing_support::RecordedContext;

class LogJobsTest : public ::testing::Test {
 protected:
  LogJobsTest() {
    options_.with_stdout = options_.with_stderr = true;
    log_.write("hello");
  }
  std::shared_ptr<LogFollower> serve(bool running, bool tty = true) {
    return serveLogs(context_, {log_.path(), tty, running}, options_,
                     {*reactor_, *watch_, *server_});
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }
  void connect() {
    ASSERT_TRUE(context_->establishedMessage().has_value());
    connectStream(*reactor_, *context_->establishedMessage()->stream,
                  {.timeout = std::chrono::seconds(5)}, [this](Result<net::StreamPtr> stream) {
                    ASSERT_TRUE(stream);
                    client_ = *stream;
                    client_->start([this] { read(); }, [] {});
                  });
  }
  void read() {
    std::array<char, 4096> buffer{};
    const auto got = client_->read(buffer.data(), buffer.size());
    received_.append(buffer.data(), got.value_or(0));
    if (got ? *got == 0 : got.error().kind() != ErrorKind::Unavailable) {
      ended_ = true;
      client_->enableRead(false);
    }
  }

  engine::testing_support::TestLog log_;
  LogOptions options_;
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<LogWatch> watch_ = LogWatch::create(*reactor_).value();
  std::unique_ptr<StreamServer> server_ =
      StreamServer::listenUnix(*reactor_, log_.path() + ".sock").value();
  std::shared_ptr<RecordedContext> context_ = std::make_shared<RecordedContext>(Job{});
  net::StreamPtr client_;
  std::string received_;
  bool ended_ = false;
};

TEST_F(LogJobsTest, SendsTheLogOfAStoppedContainer) {
  options_.follow = true;  // nothing to follow
  EXPECT_EQ(serve(false), nullptr);
  EXPECT_EQ(context_->establishedMessage()->env.get("tty"), "1");
  connect();
  ASSERT_TRUE(until([&] { return ended_; }));
  EXPECT_EQ(received_, "hello\n");
  ASSERT_TRUE(until([&] { return context_->completed(); }));
  EXPECT_TRUE(context_->waitResult());
}

TEST_F(LogJobsTest, MultiplexesWithoutTty) {
  serve(false, false);
  connect();
  ASSERT_TRUE(until([&] { return ended_; }));
  EXPECT_EQ(received_, std::string("\1\0\0\0\0\0\0\6hello\n", 14));
}

TEST_F(LogJobsTest, FollowsUntilTheContainerEnded) {
  options_.follow = true;
  auto follower = serve(true);
  ASSERT_NE(follower, nullptr);
  connect();
  ASSERT_TRUE(until([&] { return received_ == "hello\n"; }));
  log_.write("more");
  ASSERT_TRUE(until([&] { return received_ == "hello\nmore\n"; }));
  EXPECT_FALSE(context_->completed());
  follower->containerEnded();
  ASSERT_TRUE(until([&] { return ended_ && context_->completed(); }));
}

TEST_F(LogJobsTest, CancelEndsTheJobBeforeAndAfterTheClientCame) {
  options_.follow = true;
  serve(true);
  context_->cancel();
  EXPECT_TRUE(context_->completed());

  context_ = std::make_shared<RecordedContext>(Job{});
  serve(true);
  connect();
  ASSERT_TRUE(until([&] { return received_ == "hello\n"; }));
  context_->cancel();
  EXPECT_TRUE(context_->completed());
  EXPECT_TRUE(until([&] { return ended_; }));
}

TEST_F(LogJobsTest, WhatGoesWithTheFollowerGoesWhenTheClientLeft) {
  options_.follow = true;
  auto companion = std::make_shared<int>(0);
  const std::weak_ptr<int> kept = companion;
  serve(true)->keep(std::move(companion));
  connect();
  ASSERT_TRUE(until([&] { return received_ == "hello\n"; }));
  EXPECT_FALSE(kept.expired());
  context_->cancel();
  context_.reset();
  EXPECT_TRUE(until([&] { return kept.expired(); }));
}

TEST_F(LogJobsTest, SaysWhenTheDriverKeepsNothing) {
  serveLogs(context_, {}, options_, {*reactor_, *watch_, *server_});
  const auto result = context_->waitResult();
  EXPECT_EQ(result.error().message(), "configured logging driver does not support reading");
  EXPECT_EQ(httpStatus(result.error().kind()), 501);
}

}  // namespace
}  // namespace flotilla::engine
