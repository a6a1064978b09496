#include "engine/logs/log_follower.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <thread>

#include "common/net/socket_stream.h"
#include "common/testing/loop.h"
#include "engine/logs/test_log.h"

namespace flotilla::engine {
namespace {

using testing_support::TestLog;

class LogFollowerTest : public ::testing::Test {
 protected:
  std::shared_ptr<LogFollower> begin(LogOptions options) {
    auto reader = LogReader::open(log_.path(), options).value();
    auto follower =
        LogFollower::create(*reactor_, watch_.get(), log_.path(), std::move(reader), options);
    std::array<int, 2> fds{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    peer_ = UniqueFd(fds[1]);
    follower->start(net::makeSocketStream(*reactor_, UniqueFd(fds[0])),
                    [this](Result<void> result) {
                      read();
                      ended_before_result_ = end_of_input_;
                      result_ = std::move(result);
                    });
    return follower;
  }
  static LogOptions options(bool follow) {
    LogOptions options;
    options.with_stdout = options.with_stderr = true;
    options.multiplexed = false;
    options.follow = follow;
    return options;
  }
  /// Turns the loop until `text` has come (or the follower is done).
  bool receive(const std::string& text) {
    return flotilla::testing::runUntil(*reactor_, [&] {
      read();
      return received_ == text;
    });
  }
  void read() {
    std::array<char, 65536> buffer{};
    for (ssize_t n = 0; (n = ::read(peer_.get(), buffer.data(), buffer.size())) >= 0;) {
      if (n == 0) {
        end_of_input_ = true;
        return;
      }
      received_.append(buffer.data(), static_cast<std::size_t>(n));
    }
  }
  bool finished() {
    return flotilla::testing::runUntil(*reactor_, [&] {
      read();
      return result_.has_value();
    });
  }

  TestLog log_;
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<LogWatch> watch_ = LogWatch::create(*reactor_).value();
  UniqueFd peer_;
  std::string received_;
  bool end_of_input_ = false;
  bool ended_before_result_ = false;
  std::optional<Result<void>> result_;
};

/// A gateway holds its client's last byte back until it knows the result.
TEST_F(LogFollowerTest, TellsItsResultWhenAllIsWrittenAndBeforeTheEnd) {
  log_.write("1");
  begin(options(false));
  ASSERT_TRUE(finished());
  EXPECT_TRUE(*result_);
  EXPECT_FALSE(ended_before_result_);
  EXPECT_EQ(received_, "1\n");
  read();
  EXPECT_TRUE(end_of_input_);
}

TEST_F(LogFollowerTest, SendsWhatThereIsAndEnds) {
  log_.write("1");
  log_.write("2");
  begin(options(false));
  ASSERT_TRUE(finished());
  EXPECT_TRUE(*result_);
  read();
  EXPECT_EQ(received_, "1\n2\n");
  EXPECT_TRUE(end_of_input_);
}

TEST_F(LogFollowerTest, FollowsOverRotationUntilTheContainerEnds) {
  log_.write("1");
  auto follower = begin(options(true));
  ASSERT_TRUE(receive("1\n"));
  log_.write("2");
  ASSERT_TRUE(receive("1\n2\n"));
  log_.rotate();
  log_.write("3");
  ASSERT_TRUE(receive("1\n2\n3\n"));
  log_.write("4");
  follower->containerEnded();
  ASSERT_TRUE(finished());
  EXPECT_TRUE(*result_);
  read();
  EXPECT_EQ(received_, "1\n2\n3\n4\n");
}

TEST_F(LogFollowerTest, FollowsALogThatDoesNotExistYet) {
  auto follower = begin(options(true));
  log_.write("1");
  ASSERT_TRUE(receive("1\n"));
  follower->cancel();
  ASSERT_TRUE(finished());
}

TEST_F(LogFollowerTest, WaitsForASlowReaderAndLosesNothing) {
  std::string bytes;
  std::string expected;
  for (int i = 0; i < 60000; ++i) {
    const std::string text = "line " + std::to_string(i) + std::string(20, 'x');
    bytes += TestLog::line(text);
    expected += text + "\n";
  }
  log_.append(bytes);
  auto follower = begin(options(true));
  flotilla::testing::runUntil(
      *reactor_, [] { return false; },
      std::chrono::milliseconds(20));  // nobody reads: the socket fills
  EXPECT_FALSE(result_.has_value());
  ASSERT_TRUE(receive(expected));
  follower->containerEnded();
  ASSERT_TRUE(finished());
}

TEST_F(LogFollowerTest, EndsAtUntil) {
  log_.write("1", "stdout", 1);
  log_.write("9", "stdout", 9);
  LogOptions until = options(true);
  until.until_ns = parseLogTime("2026-11-22T00:00:05Z");
  begin(until);
  ASSERT_TRUE(finished());
  EXPECT_EQ(received_, "1\n");
}

TEST_F(LogFollowerTest, EndsWhenTheClientLeft) {
  begin(options(true));
  peer_.reset();
  log_.write("1");
  ASSERT_TRUE(flotilla::testing::runUntil(*reactor_, [&] { return result_.has_value(); }));
  EXPECT_FALSE(*result_);
}

TEST_F(LogFollowerTest, MayBeCancelledBeforeTheClientComes) {
  auto reader = LogReader::open(log_.path(), options(true)).value();
  auto follower =
      LogFollower::create(*reactor_, watch_.get(), log_.path(), std::move(reader), options(true));
  follower->cancel();
  flotilla::testing::runUntil(
      *reactor_, [] { return false; }, std::chrono::milliseconds(2));
  std::array<int, 2> fds{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  peer_ = UniqueFd(fds[1]);
  follower->start(net::makeSocketStream(*reactor_, UniqueFd(fds[0])),
                  [this](Result<void> r) { result_ = std::move(r); });
  ASSERT_TRUE(finished());
  EXPECT_FALSE(*result_);
}

TEST_F(LogFollowerTest, TwoHundredFollowersNeedNoThreadAndOneWatch) {
  auto count = [](const char* directory) {
    return std::distance(std::filesystem::directory_iterator(directory),
                         std::filesystem::directory_iterator());
  };
  const auto threads = count("/proc/self/task");
  std::vector<std::shared_ptr<LogFollower>> followers;
  std::vector<UniqueFd> peers;
  int done = 0;
  for (int i = 0; i < 200; ++i) {
    auto reader = LogReader::open(log_.path(), options(true)).value();
    auto follower =
        LogFollower::create(*reactor_, watch_.get(), log_.path(), std::move(reader), options(true));
    std::array<int, 2> fds{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    peers.emplace_back(fds[1]);
    follower->start(net::makeSocketStream(*reactor_, UniqueFd(fds[0])),
                    [&](const Result<void>&) { ++done; });
    followers.push_back(std::move(follower));
  }
  log_.write("hello");
  std::vector<std::string> got(peers.size());
  ASSERT_TRUE(flotilla::testing::runUntil(*reactor_, [&] {
    std::size_t complete = 0;
    for (std::size_t i = 0; i < peers.size(); ++i) {
      std::array<char, 64> buffer{};
      const ssize_t n = ::read(peers[i].get(), buffer.data(), buffer.size());
      got[i].append(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
      complete += got[i] == "hello\n" ? 1 : 0;
    }
    return complete == peers.size();
  }));
  EXPECT_EQ(count("/proc/self/task"), threads);
  for (auto& follower : followers) {
    follower->containerEnded();
  }
  ASSERT_TRUE(flotilla::testing::runUntil(*reactor_, [&] { return done == 200; }));
}

}  // namespace
}  // namespace flotilla::engine
