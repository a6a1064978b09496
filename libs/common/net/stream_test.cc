#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "common/net/socket_stream.h"
#include "common/testing/loop.h"

namespace flotilla::net {
namespace {

class SocketStreamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> fds{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
    peer_ = UniqueFd(fds[1]);
    stream_ = makeSocketStream(*reactor_, UniqueFd(fds[0]));
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }
  /// Lets the loop turn for a moment, to see that something does not happen.
  void settle() {
    testing::runUntil(
        *reactor_, [] { return false; }, std::chrono::milliseconds(5));
  }
  void send(std::string_view text) {
    ASSERT_EQ(::write(peer_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  std::string receive() {
    std::array<char, 65536> buffer{};
    ssize_t n = ::read(peer_.get(), buffer.data(), buffer.size());
    return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : "";
  }
  std::string readAll() {
    std::array<char, 4096> buffer{};
    auto n = stream_->read(buffer.data(), buffer.size());
    return n ? std::string(buffer.data(), *n) : "<" + std::string(kindName(n.error().kind())) + ">";
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  UniqueFd peer_;
  StreamPtr stream_;
};

TEST_F(SocketStreamTest, ReadsByLevelAndPauses) {
  std::string got;
  int calls = 0;
  stream_->start(
      [&] {
        std::array<char, 2> two{};
        ++calls;
        got.append(two.data(), stream_->read(two.data(), 2).value());
      },
      [] {});
  send("abcdef");
  ASSERT_TRUE(until([&] { return got.size() == 6; }));
  EXPECT_EQ(calls, 3);
  stream_->enableRead(false);
  send("gh");
  settle();
  EXPECT_EQ(got, "abcdef");
  stream_->enableRead(true);
  EXPECT_TRUE(until([&] { return got == "abcdefgh"; }));
  EXPECT_EQ(readAll(), "<unavailable>");
}

TEST_F(SocketStreamTest, TellsOfRoomOnceAfterAShortWrite) {
  int writable = 0;
  stream_->start([] {}, [&] { ++writable; });
  const std::string megabyte(1U << 20U, 'x');
  std::size_t taken = stream_->write(megabyte).value();
  EXPECT_LT(taken, megabyte.size());
  settle();
  EXPECT_EQ(writable, 0);
  std::size_t received = 0;
  while (received < taken) {
    received += receive().size();
  }
  ASSERT_TRUE(until([&] { return writable > 0; }));
  settle();
  EXPECT_EQ(writable, 1);
}

TEST_F(SocketStreamTest, HalfClosesBothWays) {
  bool ended = false;
  stream_->start(
      [&] {
        ended = readAll().empty();
        stream_->enableRead(!ended);
      },
      [] {});
  ASSERT_TRUE(stream_->write("last"));
  stream_->shutdownWrite();
  EXPECT_EQ(receive(), "last");
  EXPECT_EQ(receive(), "");
  send("still");
  ::shutdown(peer_.get(), SHUT_WR);
  EXPECT_TRUE(until([&] { return ended; }));
}

TEST_F(SocketStreamTest, AWriteToAGonePeerIsAnErrorNotASignal) {
  stream_->start([] {}, [] {});
  peer_.reset();
  auto written = stream_->write("x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().sysErrno(), EPIPE);
}

TEST_F(SocketStreamTest, HangupIsSeenWhileReadingIsPausedAndBytesWait) {
  int hangups = 0;
  stream_->start([] { FAIL() << "reading is disabled"; }, [] {});
  stream_->enableRead(false);
  stream_->onHangup([&] { ++hangups; });
  send("unread");
  settle();
  EXPECT_EQ(hangups, 0);
  ::shutdown(peer_.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return hangups > 0; }));
  peer_.reset();
  settle();
  EXPECT_EQ(hangups, 1);
}

TEST_F(SocketStreamTest, CallbacksMayCloseReplaceAndDrop) {
  bool second = false;
  stream_->start(
      [&] {
        stream_->start(
            [&] {
              second = true;
              stream_->close();
              stream_.reset();
            },
            [] {});
      },
      [] {});
  send("x");
  ASSERT_TRUE(until([&] { return second; }));
  EXPECT_EQ(receive(), "");
}

TEST_F(SocketStreamTest, NothingFollowsClose) {
  stream_->start([] { FAIL(); }, [] { FAIL(); });
  stream_->onHangup([] { FAIL(); });
  send("x");
  stream_->close();
  stream_->close();
  peer_.reset();
  settle();
  EXPECT_EQ(stream_->plainFd(), -1);
  EXPECT_EQ(readAll(), "<internal>");
  EXPECT_FALSE(stream_->write("x"));
}

}  // namespace
}  // namespace flotilla::net
