#include "common/stream/relay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/net/socket.h"
#include "common/net/socket_stream.h"
#include "common/testing/loop.h"

namespace flotilla {
namespace {

struct Pair {
  UniqueFd ours, theirs;
};

Pair unixPair() {
  std::array<int, 2> fds{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()), 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Pair tcpPair() {
  auto listener = net::listenOn({.kind = net::Address::Kind::Tcp, .host = "127.0.0.1"}).value();
  auto client = net::connectBlocking(net::localAddress(listener.get()).value(), 10'000).value();
  UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_TRUE(server.valid());
  ::fcntl(client.get(), F_SETFL, O_NONBLOCK);
  return {std::move(server), std::move(client)};
}

/// A socket stream that hides its descriptor, as TLS does: bytes are copied.
class Opaque final : public net::Stream {
 public:
  explicit Opaque(net::StreamPtr inner) : inner_(std::move(inner)) {}
  void start(std::function<void()> r, std::function<void()> w) override {
    inner_->start(std::move(r), std::move(w));
  }
  void enableRead(bool enabled) override { inner_->enableRead(enabled); }
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    return inner_->read(buffer, size);
  }
  Result<std::size_t> write(std::string_view bytes) override { return inner_->write(bytes); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void close() override { inner_->close(); }
  void abort() override { inner_->abort(); }

 private:
  net::StreamPtr inner_;
};

enum class Path { Spliced, Copied };

class RelayTest : public ::testing::TestWithParam<Path> {
 protected:
  void begin(RelayEnd end, Pair left = unixPair(), Pair right = unixPair()) {
    left_ = std::move(left.theirs);
    right_ = std::move(right.theirs);
    const auto left_stream = wrap(std::move(left.ours));
    running_ = relay(*reactor_, left_stream, wrap(std::move(right.ours)), end,
                     [this, end, left_stream](const std::optional<RelayFailure>& failure) {
                       EXPECT_FALSE(done_) << "done ran twice";
                       done_ = true;
                       failure_ = failure;
                       if (end == RelayEnd::RightSide) {
                         open_left_ = left_stream;
                       }
                     });
  }
  net::StreamPtr wrap(UniqueFd fd) {
    auto plain = net::makeSocketStream(*reactor_, std::move(fd));
    return GetParam() == Path::Spliced ? plain : std::make_shared<Opaque>(plain);
  }
  /// Whatever a test was about: without its peers a relay ends, and with it what keeps it alive.
  void TearDown() override {
    left_.reset();
    right_.reset();
    EXPECT_TRUE(until([this] { return done_; })) << "a relay outlives both of its peers";
    endLeft();
  }
  /// Closes what RightSide leaves open.
  void endLeft() {
    if (const auto left = std::exchange(open_left_, nullptr)) {
      left->close();
    }
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }
  void settle() {
    testing::runUntil(
        *reactor_, [] { return false; }, std::chrono::milliseconds(5));
  }

  static void send(const UniqueFd& fd, std::string_view text) {
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// Reads until `text` came.
  bool arrives(const UniqueFd& fd, std::string_view text) {
    std::string got;
    return until([&] {
      std::array<char, 4096> buffer{};
      ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
      got.append(buffer.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
      return got == text;
    });
  }
  bool ends(const UniqueFd& fd) {
    return until([&] {
      char byte = 0;
      return ::read(fd.get(), &byte, 1) == 0;
    });
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  UniqueFd left_, right_;
  std::weak_ptr<RunningRelay> running_;
  bool done_ = false;
  std::optional<RelayFailure> failure_;
  net::StreamPtr open_left_;
};

TEST_P(RelayTest, EndsWhenTheClientIsGoneThoughTheRightSideIsSilent) {
  begin(RelayEnd::BothSides);
  send(left_, "last words");
  left_.reset();
  if (GetParam() == Path::Copied) {
    return;  // a stream without a descriptor cannot know before it writes
  }
  EXPECT_TRUE(until([this] { return done_; }));
  ASSERT_TRUE(failure_.has_value());
  EXPECT_EQ(failure_->side, RelayFailure::Side::Left);
  EXPECT_TRUE(arrives(right_, "last words"));
  EXPECT_TRUE(ends(right_));
}

TEST_P(RelayTest, EndsWithItsGroup) {
  begin(RelayEnd::BothSides);
  send(left_, "before");
  ASSERT_TRUE(arrives(right_, "before"));
  RelayGroup group;
  group.add(running_);
  group.cut(Error{ErrorKind::Unavailable, "over"});
  ASSERT_TRUE(failure_.has_value());
  EXPECT_EQ(failure_->side, RelayFailure::Side::Left);
  EXPECT_EQ(failure_->error.message(), "over");
  EXPECT_TRUE(ends(left_));
  EXPECT_TRUE(ends(right_));
  EXPECT_TRUE(running_.expired());
  group.cut(Error{ErrorKind::Unavailable, "over"});
}

TEST_P(RelayTest, EndsWhenAHalfClosedClientGoesToo) {
  begin(RelayEnd::BothSides);
  ::shutdown(left_.get(), SHUT_WR);
  EXPECT_TRUE(ends(right_));
  settle();
  EXPECT_FALSE(done_) << "a half-closed client still listens";
  if (GetParam() == Path::Spliced) {
    left_.reset();
    EXPECT_TRUE(until([this] { return done_; }));
  }
}

TEST_P(RelayTest, HalfClosesFromLeftToRightAndGoesOn) {
  begin(RelayEnd::BothSides);
  send(left_, "question");
  ::shutdown(left_.get(), SHUT_WR);
  EXPECT_TRUE(arrives(right_, "question"));
  EXPECT_TRUE(ends(right_));
  send(right_, "late answer");
  EXPECT_TRUE(arrives(left_, "late answer"));
  EXPECT_FALSE(done_);
  right_.reset();
  EXPECT_TRUE(ends(left_));
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_FALSE(failure_);
}

TEST_P(RelayTest, HalfClosesFromRightToLeftAndGoesOn) {
  begin(RelayEnd::BothSides);
  ::shutdown(right_.get(), SHUT_WR);
  EXPECT_TRUE(ends(left_));
  send(left_, "still typing");
  EXPECT_TRUE(arrives(right_, "still typing"));
  EXPECT_FALSE(done_);
  ::shutdown(left_.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_FALSE(failure_);
}

TEST_P(RelayTest, RightSideEndsWithTheRightWhateverTheLeftDoes) {
  begin(RelayEnd::RightSide);
  send(right_, "output");
  ::shutdown(right_.get(), SHUT_WR);
  EXPECT_TRUE(arrives(left_, "output"));
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_FALSE(failure_);
}

TEST_P(RelayTest, RightSideLeavesTheEndOfTheLeftToItsCaller) {
  begin(RelayEnd::RightSide);
  send(right_, "output");
  right_.reset();
  EXPECT_TRUE(arrives(left_, "output"));
  ASSERT_TRUE(until([&] { return done_; }));
  send(left_, "nobody reads this");
  settle();
  char byte = 0;
  EXPECT_EQ(::read(left_.get(), &byte, 1), -1) << "neither ended nor reset";
  EXPECT_EQ(errno, EAGAIN);
  ASSERT_TRUE(open_left_ != nullptr);
  EXPECT_TRUE(open_left_->write("the last word"));
  EXPECT_TRUE(arrives(left_, "the last word"));
}

TEST_P(RelayTest, RightSidePassesTheEndOfTheLeftOn) {
  begin(RelayEnd::RightSide);
  send(left_, "archive");
  ::shutdown(left_.get(), SHUT_WR);
  EXPECT_TRUE(arrives(right_, "archive"));
  EXPECT_TRUE(ends(right_));
  settle();
  EXPECT_FALSE(done_);
  send(right_, "loaded");
  right_.reset();
  EXPECT_TRUE(arrives(left_, "loaded"));
  EXPECT_TRUE(until([&] { return done_; }));
}

TEST_P(RelayTest, ARightThatTakesNoMoreMayStillSpeak) {
  begin(RelayEnd::BothSides);
  ::shutdown(right_.get(), SHUT_RD);
  send(left_, "to a process that closed its stdin");
  settle();
  EXPECT_FALSE(done_);
  send(right_, "its output");
  EXPECT_TRUE(arrives(left_, "its output"));
  right_.reset();
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_FALSE(failure_);
}

TEST_P(RelayTest, ARightThatLeavesInputUnreadStillDeliversItsOutput) {
  begin(RelayEnd::BothSides);
  send(left_, "never read");
  settle();
  send(right_, "bye");
  right_.reset();  // with unread bytes: our read fails with ECONNRESET after "bye"
  EXPECT_TRUE(arrives(left_, "bye"));
  EXPECT_TRUE(ends(left_));
  left_.reset();
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_EQ(GetParam() == Path::Copied, failure_.has_value());  // an opaque stream cannot tell
}

TEST_P(RelayTest, AClientThatIsGoneEndsIt) {
  begin(RelayEnd::RightSide);
  left_.reset();
  send(right_, "to nobody");
  ASSERT_TRUE(until([&] { return done_; }));
  ASSERT_TRUE(failure_.has_value());
  EXPECT_EQ(failure_->side, RelayFailure::Side::Left);
  EXPECT_TRUE(ends(right_));
}

TEST_P(RelayTest, AResetIsAFailure) {
  begin(RelayEnd::BothSides, unixPair(), tcpPair());
  send(right_, "half of i");
  EXPECT_TRUE(arrives(left_, "half of i"));
  net::resetConnection(std::move(right_));
  ASSERT_TRUE(until([&] { return done_; }));
  ASSERT_TRUE(failure_.has_value());
  EXPECT_EQ(failure_->side, RelayFailure::Side::Right);
}

TEST_P(RelayTest, AResetByTheClientIsItsOwn) {
  begin(RelayEnd::BothSides, tcpPair(), unixPair());
  send(left_, "half of i");
  EXPECT_TRUE(arrives(right_, "half of i"));
  net::resetConnection(std::move(left_));
  ASSERT_TRUE(until([&] { return done_; }));
  ASSERT_TRUE(failure_.has_value());
  EXPECT_EQ(failure_->side, RelayFailure::Side::Left);
}

std::string digestOf(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_DigestFinal_ex(context, digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

/// 100 MB from a fast writer to a reader that stops for a while now and then.
TEST_P(RelayTest, LosesNothingOnTheWayToASlowReader) {
  constexpr std::size_t kTotal = 100U << 20U;
  begin(RelayEnd::BothSides);
  ::fcntl(left_.get(), F_SETFL, 0);
  ::fcntl(right_.get(), F_SETFL, 0);
  std::string sent_digest;
  std::string received_digest;
  std::thread writer([&] {
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    EVP_DigestInit_ex(digest, EVP_sha256(), nullptr);
    std::vector<char> block(128 * 1024);
    unsigned value = 1;
    for (std::size_t sent = 0; sent < kTotal; sent += block.size()) {
      for (char& byte : block) {
        value = value * 1664525U + 1013904223U;
        byte = static_cast<char>(value >> 24U);
      }
      EVP_DigestUpdate(digest, block.data(), block.size());
      for (std::size_t done = 0; done < block.size();) {
        ssize_t n = ::write(right_.get(), block.data() + done, block.size() - done);
        ASSERT_GT(n, 0);
        done += static_cast<std::size_t>(n);
      }
    }
    sent_digest = digestOf(digest);
    EVP_MD_CTX_free(digest);
    right_.reset();
  });
  std::thread reader([&] {
    EVP_MD_CTX* digest = EVP_MD_CTX_new();
    EVP_DigestInit_ex(digest, EVP_sha256(), nullptr);
    std::vector<char> block(50'000);
    std::size_t total = 0;
    for (std::size_t next_pause = 0;;) {
      if (total >= next_pause) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        next_pause += 10U << 20U;
      }
      ssize_t n = ::read(left_.get(), block.data(), block.size());
      if (n <= 0) {
        break;
      }
      total += static_cast<std::size_t>(n);
      EVP_DigestUpdate(digest, block.data(), static_cast<std::size_t>(n));
    }
    EXPECT_EQ(total, kTotal);
    received_digest = digestOf(digest);
    EVP_MD_CTX_free(digest);
    left_.reset();
  });
  EXPECT_TRUE(testing::runUntil(
      *reactor_, [&] { return done_; }, std::chrono::seconds(50)));
  writer.join();
  reader.join();
  EXPECT_EQ(sent_digest, received_digest);
}

INSTANTIATE_TEST_SUITE_P(, RelayTest, ::testing::Values(Path::Spliced, Path::Copied),
                         [](const auto& param_info) {
                           return param_info.param == Path::Spliced ? "Spliced" : "Copied";
                         });

}  // namespace
}  // namespace flotilla
