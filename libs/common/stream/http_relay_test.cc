// The relay between a client's HTTP exchange and a job's stream, as the gateway uses it.

#include "common/http/response_head.h"
#include "common/http/server_fixture.h"
#include "common/net/socket_stream.h"
#include "common/stream/relay.h"

namespace flotilla::http {
namespace {

class HttpRelay : public ServerFixture {
 protected:
  /// Serves one request by relaying `make`'s stream (left) with a job (right), whose end is job_.
  void relayTo(RelayEnd end, std::function<net::StreamPtr(const ExchangePtr&)> make) {
    serve([this, end, make = std::move(make)](const ExchangePtr& exchange) {
      std::array<int, 2> fds{};
      ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds.data()),
                0);
      job_ = UniqueFd(fds[1]);
      const net::StreamPtr left = make(exchange);
      relay(*reactor_, left, net::makeSocketStream(*reactor_, UniqueFd(fds[0])), end,
            [this, end, left](const std::optional<RelayFailure>& failure) {
              if (end == RelayEnd::RightSide) {
                failure ? left->abort() : left->close();
              }
              done_ = true;
              failure_ = failure;
            });
    });
  }
  UniqueFd begin(std::string_view request) {
    UniqueFd client = connect();
    send(client, request);
    EXPECT_TRUE(until([&] { return job_.valid(); }));
    return client;
  }
  static net::StreamPtr hijacked(const ExchangePtr& exchange) {
    return exchange->hijack("HTTP/1.1 101 UPGRADED\r\n\r\n");
  }
  static net::StreamPtr opened(const ExchangePtr& exchange) { return exchange->open({}); }

  UniqueFd job_;
  bool done_ = false;
  std::optional<RelayFailure> failure_;
};

constexpr std::string_view kAttach = "POST /attach HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kLogs = "GET /logs HTTP/1.1\r\nHost: h\r\n\r\n";

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  unsigned value = 7;
  for (char& byte : text) {
    value = value * 1664525U + 1013904223U;
    byte = static_cast<char>(value >> 24U);
  }
  return text;
}

TEST_F(HttpRelay, AttachCarriesEarlyInputBulkOutputAndHalfClose) {
  relayTo(RelayEnd::BothSides, hijacked);
  UniqueFd client = begin(std::string(kAttach) + "early input");
  std::string input;
  ASSERT_TRUE(until([&] { return receive(job_, input) && input == "early input"; }));
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return !receive(job_, input); }));

  const std::string output = pattern(20U << 20U);  // far beyond every buffer: spliced
  std::string received;
  for (std::size_t sent = 0; sent < output.size();) {
    const ssize_t n = ::send(job_.get(), output.data() + sent, output.size() - sent, MSG_NOSIGNAL);
    if (n > 0) {
      sent += static_cast<std::size_t>(n);
      continue;
    }
    turn();
    receive(client, received);
  }
  job_.reset();
  ASSERT_TRUE(until([&] { return !receive(client, received); }));
  EXPECT_TRUE(received == "HTTP/1.1 101 UPGRADED\r\n\r\n" + output);
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_TRUE(done_ && !failure_);
}

TEST_F(HttpRelay, LogsEndWithTheJob) {
  relayTo(RelayEnd::RightSide, opened);
  UniqueFd client = begin(kLogs);
  send(job_, "line 1\n");
  turn();
  send(job_, "line 2\n");
  job_.reset();
  Answer a = answer(client);
  EXPECT_TRUE(a.complete);
  EXPECT_EQ(a.body, "line 1\nline 2\n");
  EXPECT_TRUE(done_ && !failure_);
  EXPECT_EQ(server_->connections(), 1U);  // kept alive
}

TEST_F(HttpRelay, LogsEndWithTheClient) {
  relayTo(RelayEnd::RightSide, opened);
  UniqueFd client = begin(kLogs);
  turn();
  client.reset();  // while no line comes
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_TRUE(failure_.has_value());
  EXPECT_TRUE(isClosed(job_));
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(server_->activeRequests(), 0U);
}

TEST_F(HttpRelay, LoadSendsTheArchiveInAndProgressOut) {
  relayTo(RelayEnd::RightSide, opened);
  UniqueFd client = begin("POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string archive = pattern(5U << 20U);
  std::string received;
  for (std::size_t at = 0; at < archive.size(); at += 100'000) {
    std::string chunk;
    appendChunk(chunk, std::string_view(archive).substr(at, 100'000));
    while (!chunk.empty()) {
      const ssize_t n = ::send(client.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL);
      chunk.erase(0, n > 0 ? static_cast<std::size_t>(n) : 0);
      turn(1);
      receive(job_, received);
    }
  }
  send(client, "0\r\n\r\n");
  ASSERT_TRUE(
      until([&] { return !receive(job_, received); }));  // the end of the archive reaches the job
  EXPECT_TRUE(received == archive);
  send(job_, "{\"stream\":\"Loaded\"}\n");
  job_.reset();
  EXPECT_EQ(answer(client).body, "{\"stream\":\"Loaded\"}\n");
  EXPECT_TRUE(done_ && !failure_);
}

TEST_F(HttpRelay, ACutUploadDoesNotLookComplete) {
  relayTo(RelayEnd::RightSide, opened);
  UniqueFd client = begin("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nhalf");
  turn();
  client.reset();
  ASSERT_TRUE(until([&] { return done_; }));
  EXPECT_TRUE(failure_.has_value());
}

}  // namespace
}  // namespace flotilla::http
