#include "common/http/server_fixture.h"
#include "common/net/tls_stream.h"
#include "common/testing/certificates.h"

namespace flotilla::http {
namespace {

constexpr std::string_view kGetA = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

/// A handler's stream with all that came over it.
struct Reader {
  net::StreamPtr stream;
  std::string received = {};
  bool ended = false;
  bool broken = false;
  int rooms = 0;

  void begin() {
    stream->start([this] { readSome(); }, [this] { ++rooms; });
  }
  void readSome() {
    std::array<char, 1000> buffer{};
    auto n = stream->read(buffer.data(), buffer.size());
    if (n && *n > 0) {
      received.append(buffer.data(), *n);
    } else if (n || n.error().kind() != ErrorKind::Unavailable) {
      ended = n.has_value();
      broken = !n;
      stream->enableRead(false);
    }
  }
};

class ServerStreams : public ServerFixture {
 protected:
  void SetUp() override {
    serve([this](const ExchangePtr& exchange) { exchange_ = exchange; });
  }
  /// A connection whose request is with the handler (exchange_).
  UniqueFd begin(std::string_view request) {
    UniqueFd client = connect();
    send(client, request);
    EXPECT_TRUE(until([&] { return exchange_ != nullptr; }));
    return client;
  }
  void writeAll(Reader& reader, std::string_view bytes) {
    while (!bytes.empty()) {
      const int rooms = reader.rooms;
      auto n = reader.stream->write(bytes);
      ASSERT_TRUE(n) << n.error().message();
      bytes.remove_prefix(*n);
      ASSERT_TRUE(bytes.empty() || until([&] { return reader.rooms > rooms; }));
    }
  }
  // The loop does not run between these lines, so what is asked of the exchange is done at its next
  // turn.
  net::StreamPtr open(Response head = {}) { return settled(exchange_->open(std::move(head))); }
  net::StreamPtr hijack(std::string head) { return settled(exchange_->hijack(std::move(head))); }
  net::StreamPtr bodyStream() { return settled(exchange_->bodyStream()); }
  net::StreamPtr settled(net::StreamPtr stream) {
    turn(1);
    return stream;
  }

  ExchangePtr exchange_;
};

TEST_F(ServerStreams, OpenResponseSendsHeadAtOnceAndChunksLater) {
  UniqueFd client = begin(kGetA);
  Reader out{open({.status = 200})};
  out.begin();
  std::string bytes;
  ASSERT_TRUE(
      until([&] { return receive(client, bytes) && bytes.find("\r\n\r\n") != std::string::npos; }));
  EXPECT_NE(bytes.find("Transfer-Encoding: chunked"), std::string::npos);
  writeAll(out, "hello ");
  writeAll(out, "");  // must not look like the last chunk
  writeAll(out, "world");
  turn();
  receive(client, bytes);
  EXPECT_NE(bytes.find("6\r\nhello \r\n5\r\nworld\r\n"), std::string::npos);
  out.stream->close();
  EXPECT_EQ(answer(client, bytes).body, "hello world");
  EXPECT_FALSE(out.stream->write("late"));

  exchange_ = nullptr;
  send(client, kGetA);  // the connection goes on
  EXPECT_TRUE(until([&] { return exchange_ != nullptr; }));
}

TEST_F(ServerStreams, OpenResponsePushesBackOnASlowClient) {
  UniqueFd client = begin(kGetA);
  Reader out{open({})};
  out.begin();
  const std::string large(10U << 20U, 'x');
  const std::size_t first = out.stream->write(large).value();
  EXPECT_LT(first, 1U << 20U);
  EXPECT_EQ(out.stream->write(large).value(), 0U);
  std::string bytes;
  std::string_view left = std::string_view(large).substr(first);
  while (!left.empty()) {
    const int rooms = out.rooms;
    ASSERT_TRUE(until([&] { return receive(client, bytes) && out.rooms > rooms; }));
    left.remove_prefix(out.stream->write(left).value());
  }
  out.stream->shutdownWrite();
  EXPECT_TRUE(answer(client, bytes).body == large);
}

TEST_F(ServerStreams, OpenResponseOnHttp10EndsWithTheConnection) {
  UniqueFd client = begin("GET / HTTP/1.0\r\n\r\n");
  Reader out{open({})};
  out.begin();
  writeAll(out, "until close");
  out.stream->close();
  std::string rest;
  EXPECT_EQ(answer(client, rest).body, "until close");
}

TEST_F(ServerStreams, OpenResponseWithALengthIsCounted) {
  UniqueFd client = begin(kGetA);
  Response head;
  head.headers.add("Content-Length", "4");
  Reader out{open(head)};
  out.begin();
  writeAll(out, "four");
  EXPECT_FALSE(out.stream->write("more"));
  out.stream->close();
  EXPECT_EQ(answer(client).body, "four");
}

TEST_F(ServerStreams, AnAbortedOrDroppedResponseIsSeenAsBroken) {
  for (bool drop : {false, true}) {
    UniqueFd client = begin(kGetA);
    Reader out{open({})};
    out.begin();
    writeAll(out, "half of i");
    drop ? out.stream.reset() : out.stream->abort();
    std::string bytes;
    ASSERT_TRUE(until([&] { return !receive(client, bytes); }));
    EXPECT_EQ(bytes.find("0\r\n\r\n"), std::string::npos);
    exchange_ = nullptr;
  }
}

TEST_F(ServerStreams, HeadOfAnOpenResponseHasNoBody) {
  UniqueFd client = begin("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  Reader out{open({})};
  out.begin();
  writeAll(out, "nothing of this");
  out.stream->close();
  std::string rest;
  EXPECT_EQ(answer(client, rest, "HEAD").status, 200);
  turn();
  receive(client, rest);
  EXPECT_EQ(rest, "");
}

TEST_F(ServerStreams, BodyStreamPushesBackAndDeliversAll) {
  UniqueFd client = begin("POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  Reader in{bodyStream()};
  const std::string chunk = "1000\r\n" + std::string(4096, 'a') + "\r\n";
  std::size_t sent = 0;
  for (int stuck = 0; stuck < 3;) {  // nobody reads: the client must come to a stop
    const ssize_t n = ::send(client.get(), chunk.data() + sent % chunk.size(),
                             chunk.size() - sent % chunk.size(), MSG_NOSIGNAL);
    stuck = n < 0 ? stuck + 1 : 0;
    sent += n > 0 ? static_cast<std::size_t>(n) : 0;
    turn();
    ASSERT_LT(sent, 10'000'000U);
  }
  in.begin();
  while (sent % chunk.size() != 0) {
    send(client, chunk.substr(sent % chunk.size(), 1));
    ++sent;
  }
  for (int i = 0; i < 500; ++i) {
    send(client, chunk);
    sent += chunk.size();
  }
  send(client, "0\r\n\r\n");
  ASSERT_TRUE(until([&] { return in.ended; }));
  EXPECT_EQ(in.received.size(), sent / chunk.size() * 4096);
  exchange_->respond({.status = 201});
  EXPECT_EQ(answer(client).status, 201);
}

TEST_F(ServerStreams, BodyStreamTellsABrokenBody) {
  UniqueFd bad = begin(
      "POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n2\r\nok\r\nnonsense\r\n");
  Reader in{bodyStream()};
  in.begin();
  ASSERT_TRUE(until([&] { return in.broken; }));
  EXPECT_EQ(in.received, "ok");
  exchange_->respond({.status = 400});
  EXPECT_EQ(answer(bad).status, 400);
  EXPECT_TRUE(isClosed(bad));

  exchange_ = nullptr;
  UniqueFd cut = begin("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\npart");
  Reader half{bodyStream()};
  half.begin();
  ASSERT_TRUE(until([&] { return half.received == "part"; }));
  cut.reset();
  EXPECT_TRUE(until([&] { return half.broken; }));
}

TEST_F(ServerStreams, BodyStreamSends100Continue) {
  UniqueFd client =
      begin("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  Reader in{bodyStream()};
  turn();
  std::string rest;
  EXPECT_TRUE(receive(client, rest));
  EXPECT_EQ(rest, "");
  in.begin();
  EXPECT_EQ(answer(client, rest).status, 100);
  send(client, "abc");
  EXPECT_TRUE(until([&] { return in.ended; }));
  EXPECT_EQ(in.received, "abc");
}

TEST_F(ServerStreams, AnOpenResponseReadsTheBodyWhileItAnswers) {
  UniqueFd client =
      begin("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\nExpect: 100-continue\r\n\r\n");
  Reader both{open({})};
  both.begin();
  std::string rest;
  EXPECT_EQ(answer(client, rest).status, 100);
  send(client, "one ");
  ASSERT_TRUE(until([&] { return both.received == "one "; }));
  writeAll(both, "progress");
  send(client, "two.");
  ASSERT_TRUE(until([&] { return both.ended; }));
  EXPECT_EQ(both.received, "one two.");
  both.stream->close();
  EXPECT_EQ(answer(client, rest).body, "progress");
}

TEST_F(ServerStreams, HijackHandsOverEarlyBytesAndBothDirections) {
  UniqueFd client = begin(
      "POST /attach HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly ");
  turn();
  Reader raw{hijack("HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")};
  raw.begin();
  EXPECT_EQ(server_->connections(), 0U);
  send(client, "and late");
  ASSERT_TRUE(until([&] { return raw.received == "early and late"; }));
  EXPECT_GE(raw.stream->plainFd(), 0);
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return raw.ended; }));
  ASSERT_TRUE(raw.stream->write("output after the end of input"));
  raw.stream->close();
  std::string bytes;
  ASSERT_TRUE(until([&] { return !receive(client, bytes); }));
  EXPECT_EQ(bytes, "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\noutput after the end of input");
}

TEST_F(ServerStreams, AHijackedClientThatIsGoneIsToldFromOneThatHalfCloses) {
  UniqueFd client =
      begin("POST /attach HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  Reader raw{hijack("HTTP/1.1 101 UPGRADED\r\n\r\n")};
  raw.begin();
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return raw.ended; }));
  raw.stream->enableRead(false);
  bool gone = false;
  raw.stream->onGone([&] { gone = true; });
  turn();
  EXPECT_FALSE(gone);
  client.reset();
  EXPECT_TRUE(until([&] { return gone; }));
  raw.stream->close();
}

TEST_F(ServerStreams, HijackAfterABodyAndAResponseBefore) {
  UniqueFd client =
      begin(std::string(kGetA) +
            "POST /exec/1/start HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}stdin");
  ExchangePtr first = exchange_;
  exchange_ = nullptr;
  first->respond({.headers = {}, .body = "first"});
  ASSERT_TRUE(until([&] { return exchange_ != nullptr; }));
  std::string body;
  exchange_->readBody(100, [&](Result<std::string> b) { body = b.value(); });
  ASSERT_TRUE(until([&] { return body == "{}"; }));
  Reader raw{hijack("HTTP/1.1 200 OK\r\n\r\n")};
  raw.begin();
  ASSERT_TRUE(until([&] { return raw.received == "stdin"; }));
  std::string rest;
  EXPECT_EQ(answer(client, rest).body, "first");
}

TEST_F(ServerStreams, HijackOfAConnectionThatIsGoneBreaks) {
  UniqueFd client = begin(kGetA);
  client.reset();
  turn();
  Reader raw{hijack("HTTP/1.1 101 UPGRADED\r\n\r\n")};
  raw.begin();
  EXPECT_TRUE(until([&] { return raw.broken || raw.ended; }));
  raw.stream->close();
}

TEST_F(ServerStreams, TellsWhenTheClientIsGone) {
  for (const char* request : {"GET /wait HTTP/1.1\r\nHost: h\r\n\r\n",
                              "POST /wait HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"}) {
    UniqueFd client = begin(request);
    int gone = 0;
    exchange_->onClientGone([&] { ++gone; });
    turn();
    EXPECT_EQ(gone, 0);
    client.reset();
    ASSERT_TRUE(until([&] { return gone > 0; }));
    int again = 0;
    exchange_->onClientGone([&] { ++again; });  // at once: it already left
    turn();
    EXPECT_EQ(gone, 1);
    EXPECT_EQ(again, 1);
    exchange_ = nullptr;
    EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
  }
}

TEST_F(ServerStreams, TellsWhenTheClientHalfCloses) {
  UniqueFd client = begin(kGetA);
  int gone = 0;
  exchange_->onClientGone([&] { ++gone; });
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return gone == 1; }));
  exchange_->respond({.headers = {}, .body = "it may still read"});
  EXPECT_EQ(answer(client).body, "it may still read");
}

TEST_F(ServerStreams, TellsWhenTheClientIsGoneBehindUnreadBytes) {
  UniqueFd client = begin("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
  int gone = 0;
  exchange_->onClientGone([&] { ++gone; });
  const std::string block(65536, 'x');
  for (int stuck = 0; stuck < 3;) {  // until every buffer between us is full
    stuck = ::send(client.get(), block.data(), block.size(), MSG_NOSIGNAL) < 0 ? stuck + 1 : 0;
    turn();
  }
  EXPECT_EQ(gone, 0);
  client.reset();
  EXPECT_TRUE(until([&] { return gone == 1; }));
}

TEST_F(ServerStreams, AnOpenResponseFeelsThatTheClientIsGone) {
  UniqueFd client = begin(kGetA);
  Reader events{open({})};
  events.begin();
  int gone = 0;
  exchange_->onClientGone([&] { ++gone; });
  turn();
  client.reset();
  ASSERT_TRUE(until([&] { return gone == 1 && events.broken; }));
  events.stream->close();
  exchange_ = nullptr;
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(ServerStreams, NoNoticeAfterTheResponseIsComplete) {
  UniqueFd client = begin(kGetA);
  int gone = 0;
  exchange_->onClientGone([&] { ++gone; });
  exchange_->respond({});
  EXPECT_EQ(answer(client).status, 200);
  exchange_->onClientGone([&] { ++gone; });
  client.reset();
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
  turn();
  EXPECT_EQ(gone, 0);
}

TEST_F(ServerStreams, ManyOpenResponsesNeedNoThread) {
  std::vector<net::StreamPtr> streams;
  std::vector<UniqueFd> clients;
  serve([&](const ExchangePtr& exchange) { streams.push_back(exchange->open({})); });
  for (int i = 0; i < 200; ++i) {
    clients.push_back(connect());
    send(clients.back(), kGetA);
  }
  ASSERT_TRUE(until([&] { return streams.size() == 200; }));
  EXPECT_EQ(server_->activeRequests(), 200U);
  for (net::StreamPtr& stream : streams) {
    ASSERT_TRUE(stream->write("x"));
    stream->close();
  }
  for (UniqueFd& client : clients) {
    EXPECT_EQ(answer(client).body, "x");
  }
}

TEST_F(ServerStreams, TlsRoundTripWithMutualAuthenticationAndHijack) {
  testing::Certificates certificates;
  auto server = certificates.issue("server");
  auto client = certificates.issue("client");
  auto server_tls = net::TlsContext::create({.role = net::TlsContext::Role::Server,
                                             .cert_file = server.cert_file,
                                             .key_file = server.key_file,
                                             .ca_file = certificates.caFile(),
                                             .peer_check = net::TlsContext::PeerCheck::Required});
  auto client_tls = net::TlsContext::create({.role = net::TlsContext::Role::Client,
                                             .cert_file = client.cert_file,
                                             .key_file = client.key_file,
                                             .ca_file = certificates.caFile(),
                                             .peer_check = net::TlsContext::PeerCheck::Required});
  ASSERT_TRUE(server_tls && client_tls);
  Reader session{net::makeTlsStream(*reactor_, connect(*server_tls),
                                    {.context = *client_tls, .server_name = "localhost"})};
  session.begin();
  ASSERT_TRUE(until([&] { return session.stream->write(kGetA).value_or(0) > 0; }));
  ASSERT_TRUE(until([&] { return exchange_ != nullptr; }));
  const std::string large(300'000, 'L');
  exchange_->respond({.headers = {}, .body = large});
  ASSERT_TRUE(until([&] { return session.received.size() > large.size(); }));
  EXPECT_EQ(session.received.substr(session.received.size() - large.size()), large);

  exchange_ = nullptr;
  session.received.clear();
  ASSERT_TRUE(session.stream->write("POST /attach HTTP/1.1\r\nHost: h\r\n\r\nearly"));
  ASSERT_TRUE(until([&] { return exchange_ != nullptr; }));
  Reader raw{hijack("HTTP/1.1 101 UPGRADED\r\n\r\n")};
  raw.begin();
  ASSERT_TRUE(until([&] { return raw.received == "early"; }));
  ASSERT_TRUE(raw.stream->write("out"));
  session.stream->shutdownWrite();
  ASSERT_TRUE(until([&] { return raw.ended; }));
  ASSERT_TRUE(raw.stream->write("put"));
  raw.stream->close();
  ASSERT_TRUE(until([&] { return session.ended; }));
  EXPECT_EQ(session.received, "HTTP/1.1 101 UPGRADED\r\n\r\noutput");
}

TEST_F(ServerStreams, PlainHttpOnATlsListenerIsRefused) {
  testing::Certificates certificates;
  auto server = certificates.issue("server");
  auto tls = net::TlsContext::create({.role = net::TlsContext::Role::Server,
                                      .cert_file = server.cert_file,
                                      .key_file = server.key_file});
  UniqueFd client = connect(*tls);
  send(client, kGetA);
  EXPECT_TRUE(isClosed(client));
  EXPECT_EQ(server_->connections(), 0U);
}

}  // namespace
}  // namespace flotilla::http
