#include "common/http/server_fixture.h"

namespace flotilla::http {
namespace {

using std::string_view_literals::operator""sv;

class ServerAbuse : public ServerFixture {
 protected:
  void SetUp() override { serve(echo); }

  /// The refusal of `bytes`, after which the connection must be closed.
  Answer refusal(std::string_view bytes) {
    UniqueFd client = connect();
    send(client, bytes);
    std::string rest;
    Answer a = answer(client, rest);
    EXPECT_TRUE(a.has("Connection: close")) << a.head;
    EXPECT_NE(a.body.find("{\"message\":\""), std::string::npos) << a.body;
    EXPECT_TRUE(isClosed(client));
    EXPECT_EQ(rest, "") << "something was served after a refusal";
    return a;
  }
};

TEST_F(ServerAbuse, MalformedHeads) {
  for (const char* head : {
           "nonsense\r\n\r\n",
           "GET\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\nHost: h\n\n",
           "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
           "GET / HTTP/1.1\r\n: empty\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET relative HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /?a=%4 HTTP/1.1\r\nHost: h\r\n\r\n",
           "\x16\x03\x01\x02\x05 a TLS client hello\r\n\r\n",
       }) {
    EXPECT_EQ(refusal(head).status, 400) << head;
  }
  UniqueFd nul = connect();
  send(nul, "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n"sv);
  EXPECT_EQ(answer(nul).status, 400);
}

TEST_F(ServerAbuse, AmbiguousLengths) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const char* fields : {
           "Content-Length: 3\r\nContent-Length: 4\r\n",
           "Content-Length: 3, 4\r\n",
           "Content-Length: -1\r\n",
           "Content-Length: +3\r\n",
           "Content-Length: 0x3\r\n",
           "Content-Length: 99999999999999999999\r\n",
           "Content-Length: \r\n",
           "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
           "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
           "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
       }) {
    EXPECT_EQ(refusal(post + fields + "\r\n" + smuggled).status, 400) << fields;
  }
  for (const char* coding :
       {"gzip", "gzip, chunked", "chunked, identity", "xchunked", "identity"}) {
    EXPECT_EQ(refusal(post + "Transfer-Encoding: " + coding + "\r\n\r\n" + smuggled).status, 501)
        << coding;
  }
  EXPECT_EQ(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled).status,
            400);
}

TEST_F(ServerAbuse, HeadsOf60KilobytesPassAnd70AreRefused) {
  const std::string get = "GET / HTTP/1.1\r\nHost: h\r\n";
  EXPECT_EQ(ask(get + "X-Registry-Config: " + std::string(60'000, 'c') + "\r\n\r\n").status, 200);
  EXPECT_EQ(refusal(get + "X-Registry-Config: " + std::string(70'000, 'c') + "\r\n\r\n").status,
            431);
  EXPECT_EQ(ask("GET /" + std::string(60'000, 'p') + " HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_EQ(refusal("GET /" + std::string(70'000, 'p') + " HTTP/1.1\r\nHost: h\r\n\r\n").status,
            431);
}

TEST_F(ServerAbuse, EndlessHeads) {
  UniqueFd client = connect();
  send(client, "GET / HTTP/1.1\r\n");
  for (int i = 0; i < 100'000; ++i) {
    send(client, "X-Endless: more and more and more\r\n");
    if (i % 100 == 0) {
      turn(1);
    }
  }
  std::string rest;
  EXPECT_EQ(answer(client, rest).status, 431);
}

TEST_F(ServerAbuse, TooManyFields) {
  std::string head = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 255; ++i) {
    head += "A:b\r\n";
  }
  EXPECT_EQ(ask(head + "\r\n").status, 200);
  EXPECT_EQ(refusal(head + "A:b\r\n\r\n").status, 431);
}

TEST_F(ServerAbuse, BadChunks) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"x\r\n", "-1\r\n", "3\r\nabcd\r\n0\r\n\r\n", "3\r\nabcXX",
                           "ffffffffffffffffff\r\n", "3 ;\r\nabc"}) {
    UniqueFd client = connect();
    send(client, post + body + "\r\n\r\n");
    Answer a = answer(client);
    EXPECT_EQ(a.status, 400) << body;
    EXPECT_TRUE(isClosed(client)) << body;
  }
}

TEST_F(ServerAbuse, ChunkExtensionsOutOfProportion) {
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  UniqueFd many = connect();
  send(many, post);
  const std::string chunk = "1;" + std::string(1000, 'e') + "\r\nx\r\n";
  for (int i = 0; i < 40; ++i) {
    send(many, chunk);
  }
  EXPECT_EQ(answer(many).status, 400);
  UniqueFd endless = connect();
  send(endless, post + "1;" + std::string(200'000, 'e'));
  EXPECT_EQ(answer(endless).status, 400);
  UniqueFd trailers = connect();
  send(trailers, post + "0\r\n");
  for (int i = 0; i < 10'000; ++i) {
    send(trailers, "A: trailer\r\n");
  }
  EXPECT_EQ(answer(trailers).status, 400);
}

TEST_F(ServerAbuse, HonestTinyChunksPass) {
  std::string request = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) {
    request += "1\r\nx\r\n";
  }
  EXPECT_EQ(ask(request + "0\r\n\r\n").body.size(), 7 + 20'000U);
}

TEST_F(ServerAbuse, SlowHeadsAndBodiesTimeOut) {
  serve(echo, {.header_timeout = std::chrono::milliseconds(20),
               .body_timeout = std::chrono::milliseconds(20)});
  EXPECT_EQ(refusal("GET / HTTP/1.1\r\nHo").status, 408);
  UniqueFd body = connect();
  send(body, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(answer(body).status, 400);
  EXPECT_TRUE(isClosed(body));
  UniqueFd idle = connect();
  testing::runUntil(
      *reactor_, [] { return false; }, std::chrono::milliseconds(50));
  send(idle, "GET /still HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer(idle).body, "GET /still ");
}

TEST_F(ServerAbuse, ClientsThatLeaveInTheMiddle) {
  for (const char* bytes :
       {"", "G", "GET / HTTP/1.1\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"}) {
    UniqueFd client = connect();
    send(client, bytes);
    turn();
    client.reset();
    EXPECT_TRUE(until([&] { return server_->connections() == 0; })) << bytes;
  }
  EXPECT_EQ(server_->activeRequests(), 0U);
}

TEST_F(ServerAbuse, APipelineWithoutReaderIsNotServedWithoutEnd) {
  UniqueFd client = connect();
  const std::string request = "GET /" + std::string(1000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  std::size_t sent = 0;
  for (int stuck = 0; stuck < 10;) {
    const ssize_t n = ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
    stuck = n < 0 ? stuck + 1 : 0;
    sent += n > 0 ? static_cast<std::size_t>(n) : 0;
    turn();
    ASSERT_LT(sent, 20'000'000U) << "the server buffers what nobody reads";
  }
}

}  // namespace
}  // namespace flotilla::http
