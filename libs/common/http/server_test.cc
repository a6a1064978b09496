#include "common/http/server.h"

#include <sys/socket.h>

#include <thread>

#include "common/http/server_fixture.h"

namespace flotilla::http {
namespace {

class ServerTest : public ServerFixture {};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  serve(echo);
  UniqueFd client = connect();
  for (int i = 0; i < 3; ++i) {
    send(client, kGet);
    Answer a = answer(client);
    EXPECT_EQ(a.status, 200);
    EXPECT_EQ(a.body, "GET /a ");
    EXPECT_TRUE(a.has("Date: "));
    EXPECT_FALSE(a.has("Connection:"));
  }
  EXPECT_EQ(server_->connections(), 1U);
  EXPECT_EQ(server_->activeRequests(), 0U);
}

TEST_F(ServerTest, GivesTheHandlerTheWholeRequest) {
  std::optional<Request> seen;
  serve([&](const ExchangePtr& exchange) {
    seen = exchange->request();
    exchange->respond({});
  });
  ask("PUT /v1.43/images/a%2Fb%20c/json?x=1&x=2%26&flag&p+q=a+b HTTP/1.1\r\nHost: h\r\nX-One: "
      "first\r\n"
      "x-one: second\r\nX-Request-Id: my-id.1\r\n\r\n");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->method, "PUT");
  EXPECT_EQ(seen->path, "/v1.43/images/a/b c/json");
  EXPECT_EQ(seen->query.all("x"), (std::vector<std::string>{"1", "2&"}));
  EXPECT_TRUE(seen->query.has("flag"));
  EXPECT_EQ(seen->query.get("p q"), "a b");
  EXPECT_EQ(seen->headers.get("X-ONE"), "first");
  EXPECT_EQ(seen->id, "my-id.1");
  EXPECT_EQ(seen->peer, "test");
}

TEST_F(ServerTest, MakesARequestIdWhenTheGivenOneIsOdd) {
  std::vector<std::string> ids;
  serve([&](const ExchangePtr& exchange) {
    ids.push_back(exchange->request().id);
    exchange->respond({});
  });
  ask(kGet);
  ask("GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: a\"b\r\n\r\n");
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_FALSE(ids[0].empty());
  EXPECT_NE(ids[1], "a\"b");
  EXPECT_NE(ids[0], ids[1]);
}

TEST_F(ServerTest, ReadsBodiesOfEveryFraming) {
  serve(echo);
  EXPECT_EQ(ask("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello").body,
            "POST /p hello");
  EXPECT_EQ(ask("POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: t\r\n\r\n")
                .body,
            "POST /p hello");
  EXPECT_EQ(ask("POST /start HTTP/1.1\r\nHost: h\r\n\r\n").body,
            "POST /start ");  // no length: empty
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  std::vector<ExchangePtr> waiting;
  serve([&](const ExchangePtr& exchange) { waiting.push_back(exchange); });
  UniqueFd client = connect();
  send(client,
       "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: "
       "3\r\n\r\nabc"
       "GET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string rest;
  for (const char* path : {"/1", "/2", "/3"}) {
    ASSERT_TRUE(until([&] { return !waiting.empty(); }));
    turn();
    ASSERT_EQ(waiting.size(), 1U) << "the next request waits for the answer";
    EXPECT_EQ(waiting[0]->request().path, path);
    waiting[0]->respond({.headers = {}, .body = path});
    waiting.clear();
    EXPECT_EQ(answer(client, rest).body, path);
  }
}

TEST_F(ServerTest, EveryCutOfTheBytesGivesTheSameAnswers) {
  serve(echo);
  const std::string requests =
      "\r\nGET /1?a=b HTTP/1.1\r\nHost: h\r\nX-Long: some value\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
      "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\n4\r\nwiki\r\n6;x=\"y\"\r\npedia!\r\n0\r\nA: b\r\n\r\n"
      "DELETE /4 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  const std::string expected = "GET /1 |POST /2 body|POST /3 wikipedia!|DELETE /4 |";
  for (std::size_t cut = 0; cut <= requests.size(); ++cut) {
    UniqueFd client = connect();
    send(client, std::string_view(requests).substr(0, cut));
    turn(2);
    send(client, std::string_view(requests).substr(cut));
    std::string rest;
    std::string bodies;
    for (int i = 0; i < 4; ++i) {
      turn(2);
      bodies += answer(client, rest).body + "|";
    }
    ASSERT_EQ(bodies, expected) << "cut at " << cut;
  }
  UniqueFd client = connect();
  for (char byte : requests) {
    send(client, {&byte, 1});
    turn(1);
  }
  std::string rest;
  std::string bodies;
  for (int i = 0; i < 4; ++i) {
    bodies += answer(client, rest).body + "|";
  }
  EXPECT_EQ(bodies, expected);
}

TEST_F(ServerTest, HeadKeepsTheHeadersOnly) {
  serve([](const ExchangePtr& exchange) {
    exchange->respond({.headers = {}, .body = "twelve bytes"});
  });
  UniqueFd client = connect();
  send(client, "HEAD /_ping HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string rest;
  Answer a = answer(client, rest, "HEAD");
  EXPECT_TRUE(a.has("Content-Length: 12"));
  turn();
  receive(client, rest);
  EXPECT_EQ(rest, "");
  send(client, kGet);
  EXPECT_EQ(answer(client).body, "twelve bytes");
}

TEST_F(ServerTest, StatusesWithoutBodyHaveNone) {
  serve([](const ExchangePtr& exchange) {
    exchange->respond(
        {.status = exchange->request().path == "/a" ? 304 : 204, .headers = {}, .body = "ignored"});
  });
  UniqueFd client = connect();
  send(client, kGet);
  Answer a = answer(client);
  EXPECT_EQ(a.status, 304);
  EXPECT_FALSE(a.has("Content-Length"));
  send(client, "POST /b HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(answer(client).status, 204);
}

TEST_F(ServerTest, SpeaksHttp10) {
  serve(echo);
  UniqueFd closing = connect();
  send(closing, "GET /old HTTP/1.0\r\n\r\n");
  Answer a = answer(closing);
  EXPECT_EQ(a.body, "GET /old ");
  EXPECT_TRUE(a.has("HTTP/1.0 200 OK"));
  EXPECT_TRUE(a.has("Connection: close"));
  EXPECT_TRUE(isClosed(closing));

  UniqueFd keeping = connect();
  for (int i = 0; i < 2; ++i) {
    send(keeping, "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(answer(keeping).has("Connection: keep-alive"));
  }
}

TEST_F(ServerTest, ClosesWhenAsked) {
  serve(echo);
  UniqueFd client = connect();
  send(client,
       "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: "
       "h\r\n\r\n");
  Answer a = answer(client);
  EXPECT_TRUE(a.has("Connection: close"));
  EXPECT_TRUE(isClosed(client));
  client.reset();
  EXPECT_TRUE(until([&] { return server_->connections() == 0; }));
}

TEST_F(ServerTest, Sends100ContinueOnlyWhenTheBodyIsWanted) {
  serve([](const ExchangePtr& exchange) {
    if (exchange->request().path == "/refuse") {
      return exchange->respond({.status = 403});
    }
    echo(exchange);
  });
  UniqueFd client = connect();
  send(client, "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  std::string rest;
  EXPECT_EQ(answer(client, rest).status, 100);
  send(client, "hello");
  EXPECT_EQ(answer(client, rest).body, "POST /p hello");

  UniqueFd refused = connect();
  send(refused,
       "POST /refuse HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  Answer a = answer(refused);
  EXPECT_EQ(a.status, 403);
  EXPECT_TRUE(a.has("Connection: close"));  // whether the five bytes come, nobody knows
  EXPECT_TRUE(isClosed(refused));
  EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n").status, 417);
}

TEST_F(ServerTest, DrainsASmallUnreadBodyAndClosesOnALargeOne) {
  serve([](const ExchangePtr& exchange) { exchange->respond({.status = 404}); });
  UniqueFd small = connect();
  for (const char* framing :
       {"Content-Length: 300000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n493e0\r\n"}) {
    send(small, std::string("POST /x HTTP/1.1\r\nHost: h\r\n") + framing);
    std::string body(300'000, 'G');
    if (framing[0] == 'T') {
      body += "\r\n0\r\n\r\n";
    }
    send(small, body);
    EXPECT_EQ(answer(small).status, 404);
  }
  send(small, kGet);
  EXPECT_EQ(answer(small).status, 404);

  UniqueFd large = connect();
  send(large, "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\n\r\n");
  Answer a = answer(large);
  EXPECT_TRUE(a.has("Connection: close"));
  EXPECT_TRUE(isClosed(large));

  UniqueFd endless = connect();
  send(endless, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n" +
                    std::string(1'500'000, 'x'));
  EXPECT_EQ(answer(endless).status, 404);
  EXPECT_TRUE(isClosed(endless));
}

TEST_F(ServerTest, RefusesABodyOverTheHandlersLimit) {
  serve(echo);  // 1 MiB
  Answer counted = ask("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(counted.status, 400);
  EXPECT_NE(counted.body.find("larger than 1048576"), std::string::npos);
  UniqueFd chunked = connect();
  send(chunked, "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'x') + "\r\n";
  for (int i = 0; i < 17; ++i) {
    send(chunked, chunk);
  }
  EXPECT_EQ(answer(chunked).status, 400);
}

TEST_F(ServerTest, AnswersFromOtherThreads) {
  std::vector<std::thread> threads;
  serve([&](const ExchangePtr& exchange) {
    threads.emplace_back([exchange] {
      exchange->readBody(100, [exchange](Result<std::string> body) {
        std::thread([exchange, body] {
          exchange->respond({.headers = {}, .body = body.value()});
        }).join();
      });
    });
  });
  for (int i = 0; i < 20; ++i) {
    const std::string text = std::to_string(i) + "!";
    EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(text.size()) +
                  "\r\n\r\n" + text)
                  .body,
              text);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
}

TEST_F(ServerTest, TheFirstAnswerCounts) {
  serve([](const ExchangePtr& exchange) {
    exchange->respond({.status = 201});
    exchange->respond({.status = 500});
    EXPECT_FALSE(exchange->open({})->write("x"));
    EXPECT_FALSE(exchange->hijack("HTTP/1.1 101 UPGRADED\r\n\r\n")->write("x"));
  });
  EXPECT_EQ(ask(kGet).status, 201);
}

TEST_F(ServerTest, AnUnansweredExchangeAnswers500) {
  serve([](const ExchangePtr&) {});
  Answer a = ask(kGet);
  EXPECT_EQ(a.status, 500);
  EXPECT_NE(a.body.find("\"message\""), std::string::npos);
  serve([](const ExchangePtr&) { throw std::runtime_error("a bug"); });
  EXPECT_EQ(ask(kGet).status, 500);
}

TEST_F(ServerTest, AnExchangeMayOutliveConnectionAndServer) {
  ExchangePtr kept;
  serve([&](const ExchangePtr& exchange) { kept = exchange; });
  UniqueFd client = connect();
  send(client, kGet);
  ASSERT_TRUE(until([&] { return kept != nullptr; }));
  client.reset();
  turn();
  server_.reset();
  turn();
  bool failed = false;
  kept->readBody(10, [&](Result<std::string> body) { failed = !body; });
  turn();
  EXPECT_TRUE(failed);
  kept->respond({});
  kept.reset();
  turn();
}

TEST_F(ServerTest, HeaderValuesCannotSmuggleLines) {
  serve([](const ExchangePtr& exchange) {
    Response response;
    response.headers.add("X-Name", "a\r\nSet-Cookie: evil");
    response.headers.add("Content-Length", "999");
    exchange->respond(std::move(response));
  });
  Answer a = ask(kGet);
  EXPECT_TRUE(a.has("X-Name: a  Set-Cookie: evil\r\n"));
  EXPECT_TRUE(a.has("Content-Length: 0\r\n"));
}

TEST_F(ServerTest, LargeResponsesReachASlowClient) {
  const std::string large(3'000'000, 'L');
  serve([&](const ExchangePtr& exchange) { exchange->respond({.headers = {}, .body = large}); });
  UniqueFd client = connect();
  send(client, std::string(kGet) + std::string(kGet));
  turn(20);
  std::string rest;
  EXPECT_TRUE(answer(client, rest).body == large);
  EXPECT_TRUE(answer(client, rest).body == large);
}

TEST_F(ServerTest, StopsGracefully) {
  ExchangePtr waiting;
  serve([&](const ExchangePtr& exchange) { waiting = exchange; });
  UniqueFd idle = connect();
  UniqueFd busy = connect();
  send(busy, kGet);
  ASSERT_TRUE(until([&] { return waiting != nullptr; }));
  bool drained = false;
  server_->stop([&] { drained = true; });
  EXPECT_TRUE(isClosed(idle));
  EXPECT_EQ(server_->activeRequests(), 1U);
  EXPECT_FALSE(drained);
  waiting->respond({.headers = {}, .body = "last"});
  Answer a = answer(busy);
  EXPECT_EQ(a.body, "last");
  EXPECT_TRUE(a.has("Connection: close"));
  EXPECT_TRUE(isClosed(busy));
  idle.reset();
  busy.reset();
  EXPECT_TRUE(until([&] { return drained; }));
}

TEST_F(ServerTest, WritesAccessRecords) {
  std::vector<AccessRecord> records;
  serve(echo, {.on_complete = [&](const AccessRecord& record) { records.push_back(record); }});
  ask("POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
  ask("nonsense\r\n\r\n");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].request->method + records[0].request->path, "POST/p");
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[0].body_bytes, 10U);
  EXPECT_EQ(records[1].status, 400);
  EXPECT_EQ(records[1].request->path, "");
}

}  // namespace
}  // namespace flotilla::http
