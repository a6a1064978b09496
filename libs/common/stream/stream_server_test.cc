#include "common/stream/stream_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <optional>
#include <thread>

#include "common/net/socket.h"
#include "common/os/random.h"
#include "common/stream/stream_client.h"
#include "common/testing/loop.h"

namespace flotilla {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class StreamServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(dir_);
    listen(10s);
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }
  void listen(std::chrono::milliseconds lifetime) {
    server_.reset();
    auto server = StreamServer::listenUnix(*reactor_, dir_ + "/s", lifetime);
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }
  bool until(const std::function<bool()>& done) { return testing::runUntil(*reactor_, done); }

  StreamEndpoint expect() {
    return server_->expect(
        [this](Result<net::StreamPtr> stream) { accepted_.push_back(std::move(stream)); });
  }
  /// A raw visitor that says `line`.
  UniqueFd visit(std::string_view line) {
    auto fd = net::startConnect({.kind = net::Address::Kind::Unix, .path = dir_ + "/s"});
    EXPECT_TRUE(fd);
    EXPECT_EQ(::send(fd->get(), line.data(), line.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size()));
    return std::move(*fd);
  }
  bool isTurnedAway(const UniqueFd& fd) {
    return until([&] {
      char byte = 0;
      ssize_t n = ::recv(fd.get(), &byte, 1, MSG_DONTWAIT);
      return n == 0 || (n < 0 && errno != EAGAIN);
    });
  }

  std::string dir_ = ::testing::TempDir() + "flotilla-streams-" + randomHex(6);
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<StreamServer> server_;
  std::vector<Result<net::StreamPtr>> accepted_;
};

TEST_F(StreamServerTest, BringsBothEndsTogether) {
  std::optional<Result<net::StreamPtr>> client;
  StreamEndpoint endpoint = expect();
  EXPECT_EQ(endpoint.ticket.size(), 32U);
  connectStream(*reactor_, endpoint, {.timeout = 10s},
                [&](Result<net::StreamPtr> stream) { client = std::move(stream); });
  ASSERT_TRUE(until([&] { return client && accepted_.size() == 1; }));
  ASSERT_TRUE(*client) << client->error().message();
  ASSERT_TRUE(accepted_[0]);
  std::string got;
  (*accepted_[0])
      ->start(
          [&] {
            std::array<char, 64> buffer{};
            got.append(buffer.data(), (*accepted_[0])->read(buffer.data(), buffer.size()).value());
          },
          [] {});
  ASSERT_TRUE((**client)->write("hello"));
  EXPECT_TRUE(until([&] { return got == "hello"; }));
}

TEST_F(StreamServerTest, BytesBehindTheTicketBelongToTheStream) {
  StreamEndpoint endpoint = expect();
  UniqueFd visitor = visit(endpoint.ticket + "\nearly");
  ASSERT_TRUE(until([&] { return accepted_.size() == 1; }));
  std::array<char, 64> buffer{};
  auto n = (*accepted_[0])->read(buffer.data(), buffer.size());
  ASSERT_TRUE(n);
  EXPECT_EQ(std::string(buffer.data(), *n), "early");
}

TEST_F(StreamServerTest, ATicketMayComeInPieces) {
  StreamEndpoint endpoint = expect();
  UniqueFd visitor = visit(endpoint.ticket.substr(0, 5));
  testing::runUntil(
      *reactor_, [] { return false; }, 5ms);
  std::string rest = endpoint.ticket.substr(5) + "\n";
  ASSERT_EQ(::write(visitor.get(), rest.data(), rest.size()), static_cast<ssize_t>(rest.size()));
  EXPECT_TRUE(until([&] { return accepted_.size() == 1; }));
}

TEST_F(StreamServerTest, TurnsAwayWrongTickets) {
  StreamEndpoint endpoint = expect();
  std::string wrong = endpoint.ticket;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  EXPECT_TRUE(isTurnedAway(visit(wrong + "\n")));
  EXPECT_TRUE(isTurnedAway(visit(std::string(4096, 'x'))));
  EXPECT_TRUE(isTurnedAway(visit(std::string(33, '\0'))));
  EXPECT_TRUE(isTurnedAway(visit("GET / HTTP/1.1\r\nHost: an-http-client\r\n\r\n")));
  EXPECT_TRUE(accepted_.empty());
  UniqueFd visitor = visit(endpoint.ticket + "\n");  // the true one is not spent by that
  EXPECT_TRUE(until([&] { return accepted_.size() == 1; }));
}

TEST_F(StreamServerTest, ATicketIsGoodOnce) {
  StreamEndpoint endpoint = expect();
  UniqueFd first = visit(endpoint.ticket + "\n");
  ASSERT_TRUE(until([&] { return accepted_.size() == 1; }));
  EXPECT_TRUE(isTurnedAway(visit(endpoint.ticket + "\n")));
  EXPECT_EQ(accepted_.size(), 1U);
}

TEST_F(StreamServerTest, ATicketExpires) {
  listen(5ms);
  StreamEndpoint endpoint = expect();
  ASSERT_TRUE(until([&] { return accepted_.size() == 1; }));
  ASSERT_FALSE(accepted_[0]);
  EXPECT_EQ(accepted_[0].error().kind(), ErrorKind::DeadlineExceeded);
  EXPECT_TRUE(isTurnedAway(visit(endpoint.ticket + "\n")));
  EXPECT_EQ(accepted_.size(), 1U);
}

TEST_F(StreamServerTest, ASilentVisitorIsTurnedAway) {
  listen(5ms);
  EXPECT_TRUE(isTurnedAway(visit("")));
  EXPECT_TRUE(isTurnedAway(visit("abc")));
}

TEST_F(StreamServerTest, HandsOutABlockingDescriptor) {
  int raw = -1;
  StreamEndpoint endpoint = server_->expectFd([&](Result<int> fd) { raw = fd.value(); });
  UniqueFd visitor = visit(endpoint.ticket + "\nbytes");
  ASSERT_TRUE(until([&] { return raw >= 0; }));
  UniqueFd fd(raw);
  EXPECT_EQ(::fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  std::array<char, 16> buffer{};
  EXPECT_EQ(::read(fd.get(), buffer.data(), buffer.size()), 5);
}

TEST_F(StreamServerTest, TicketsCanBeMadeOnAnyThread) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kEach = 50;
  std::array<std::vector<StreamEndpoint>, kThreads> endpoints;
  std::vector<std::thread> threads;
  for (auto& mine : endpoints) {
    threads.emplace_back([this, &mine] {
      for (std::size_t i = 0; i < kEach; ++i) {
        mine.push_back(expect());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::vector<UniqueFd> visitors;
  for (const auto& some : endpoints) {
    for (const StreamEndpoint& endpoint : some) {
      visitors.push_back(visit(endpoint.ticket + "\n"));
    }
  }
  EXPECT_TRUE(until([&] { return accepted_.size() == kThreads * kEach; }));
}

TEST_F(StreamServerTest, ClientNamesAnEndpointNobodyServes) {
  std::optional<Result<net::StreamPtr>> client;
  connectStream(*reactor_, {.address = "unix:" + dir_ + "/nobody", .ticket = "t"}, {.timeout = 10s},
                [&](Result<net::StreamPtr> stream) { client = std::move(stream); });
  ASSERT_TRUE(until([&] { return client.has_value(); }));
  ASSERT_FALSE(*client);
  EXPECT_EQ(client->error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(client->error().message().find(dir_ + "/nobody"), std::string::npos);
}

TEST_F(StreamServerTest, ClientReachesAPathLongerThanASocketsName) {
  const std::string folder = dir_ + "/" + std::string(150, 'f');
  std::filesystem::create_directories(folder);
  std::filesystem::rename(dir_ + "/s", folder + "/s");
  StreamEndpoint endpoint = expect();
  endpoint.address = "unix:" + folder + "/s";
  std::optional<Result<net::StreamPtr>> client;
  connectStream(*reactor_, endpoint, {.timeout = 10s},
                [&](Result<net::StreamPtr> stream) { client = std::move(stream); });
  ASSERT_TRUE(until([&] { return client && accepted_.size() == 1; }));
  ASSERT_TRUE(*client) << client->error().message();
  EXPECT_TRUE(accepted_.front());
}

TEST_F(StreamServerTest, ClientGivesUpOnAFullQueue) {
  auto listener =
      net::listenOn({.kind = net::Address::Kind::Unix, .path = dir_ + "/full"}, {.backlog = 0});
  ASSERT_TRUE(listener);
  std::optional<Result<net::StreamPtr>> last;
  std::vector<UniqueFd> queued;
  for (;;) {
    auto fd = net::startConnect({.kind = net::Address::Kind::Unix, .path = dir_ + "/full"});
    if (!fd) {
      EXPECT_EQ(fd.error().sysErrno(), EAGAIN);
      break;
    }
    queued.push_back(std::move(*fd));
  }
  connectStream(*reactor_, {.address = "unix:" + dir_ + "/full", .ticket = "t"}, {.timeout = 10ms},
                [&](Result<net::StreamPtr> stream) { last = std::move(stream); });
  ASSERT_TRUE(until([&] { return last.has_value(); }));
  EXPECT_EQ(last->error().kind(), ErrorKind::DeadlineExceeded);
}

TEST_F(StreamServerTest, ClientRefusesPlainTcp) {
  std::optional<Result<net::StreamPtr>> client;
  connectStream(*reactor_, {.address = "tcp:127.0.0.1:1", .ticket = "abc"}, {.timeout = 10s},
                [&](Result<net::StreamPtr> stream) { client = std::move(stream); });
  ASSERT_TRUE(until([&] { return client.has_value(); }));
  ASSERT_FALSE(*client);
  EXPECT_EQ(client->error().kind(), ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace flotilla
