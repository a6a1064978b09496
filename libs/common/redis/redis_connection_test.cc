#include "common/redis/redis_connection.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <optional>

#include "common/net/socket.h"
#include "common/os/atomic_file.h"
#include "common/redis/testing/redis_server.h"
#include "common/testing/certificates.h"
#include "common/testing/loop.h"

namespace flotilla {
namespace {

using testing::RedisServer;
using testing::runUntil;

class RedisConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::installed()) {
      GTEST_SKIP() << "redis-server is not installed";
    }
  }
  void TearDown() override {
    if (connection_) {
      connection_->close();
    }
  }

  void startServer(const RedisServer::Options& options = {}) {
    server_ = RedisServer::start(options).value();
  }

  void connect(const std::string& url, std::function<void(RedisReply)> on_push = {}) {
    RedisConnection::Options options{.target = RedisTarget::create(url).value(), .name = "test"};
    options.reply_timeout = std::chrono::milliseconds(500);
    options.connect_timeout = std::chrono::milliseconds(500);
    options.backoff_last = std::chrono::milliseconds(100);
    connection_ = RedisConnection::create(*reactor_, std::move(options),
                                          {.on_ready = [this] { ++ready_; },
                                           .on_lost = [this](const Error&) { ++lost_; },
                                           .on_push = std::move(on_push)});
    connection_->start();
  }

  bool becomesReady(int times = 1) {
    return runUntil(*reactor_, [this, times] { return ready_ >= times && connection_->ready(); });
  }

  Result<RedisReply> call(const RedisConnection::Arguments& arguments) {
    std::optional<Result<RedisReply>> answer;
    connection_->send(arguments,
                      [&answer](Result<RedisReply> reply) { answer = std::move(reply); });
    EXPECT_TRUE(runUntil(*reactor_, [&answer] { return answer.has_value(); }));
    return *answer;
  }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<RedisServer> server_;
  RedisConnectionPtr connection_;
  int ready_ = 0;
  int lost_ = 0;
};

TEST_F(RedisConnectionTest, PipelinesInOrder) {
  startServer();
  connect(server_->url() + "?db=3");
  ASSERT_TRUE(becomesReady());
  std::vector<std::int64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    connection_->send({"INCR", "n"},
                      [&seen](const Result<RedisReply>& reply) { seen.push_back(reply->integer); });
  }
  ASSERT_TRUE(runUntil(*reactor_, [&seen] { return seen.size() == 1000; }));
  for (std::size_t i = 0; i < seen.size(); ++i) {
    ASSERT_EQ(seen[i], static_cast<std::int64_t>(i) + 1);
  }
  EXPECT_NE(call({"CLIENT", "LIST"})->text.find("name=test"), std::string::npos);
  EXPECT_NE(call({"CLIENT", "LIST"})->text.find("db=3"), std::string::npos);
}

TEST_F(RedisConnectionTest, BigValuesPassThroughAFullSocket) {
  startServer();
  connect(server_->url());
  ASSERT_TRUE(becomesReady());
  const std::string big(8U << 20U, 'x');
  ASSERT_TRUE(call({"SET", "big", big}));
  EXPECT_EQ(call({"GET", "big"})->text, big);
}

TEST_F(RedisConnectionTest, ServerErrorsComeByKind) {
  startServer();
  connect(server_->url());
  ASSERT_TRUE(becomesReady());
  ASSERT_TRUE(call({"CONFIG", "SET", "maxmemory", "1"}));
  EXPECT_EQ(call({"SET", "a", "b"}).error().kind(), ErrorKind::Unavailable);
  ASSERT_TRUE(call({"CONFIG", "SET", "maxmemory", "0"}));
  ASSERT_TRUE(call({"ACL", "SETUSER", "default", "-set"}));
  const auto refused = call({"SET", "a", "b"});
  EXPECT_EQ(refused.error().kind(), ErrorKind::PermissionDenied);
  EXPECT_TRUE(isRedisError(refused.error(), "NOPERM"));
}

TEST_F(RedisConnectionTest, LogsInWithUserAndPasswordFile) {
  startServer(
      {.settings = {"--user", "me", "on", ">secret", "~*", "+@all", "--user", "default", "off"}});
  const std::string file = server_->folder() + "/password";
  ASSERT_TRUE(writeFileAtomically(file, "secret\n", 0600));
  connect("unix://me@" + server_->socket() + "?password-file=" + file);
  ASSERT_TRUE(becomesReady());
  EXPECT_TRUE(call({"PING"}));
}

TEST_F(RedisConnectionTest, AWrongPasswordIsNamedAndTriedAgain) {
  startServer({.settings = {"--requirepass", "right"}});
  connect("unix://:wrong@" + server_->socket());
  ASSERT_TRUE(runUntil(*reactor_, [this] { return lost_ >= 2; }));
  EXPECT_EQ(connection_->lastError().kind(), ErrorKind::PermissionDenied);
  EXPECT_TRUE(isRedisError(connection_->lastError(), "WRONGPASS"))
      << connection_->lastError().message();
}

TEST_F(RedisConnectionTest, ReconnectsAfterTheServerDied) {
  startServer();
  connect(server_->url());
  ASSERT_TRUE(becomesReady());
  server_->kill();
  ASSERT_TRUE(runUntil(*reactor_, [this] { return lost_ >= 2; }));
  const auto away = call({"PING"});
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().kind(), ErrorKind::Unavailable);
  EXPECT_NE(away.error().message().find(server_->socket()), std::string::npos)
      << away.error().message();
  ASSERT_TRUE(server_->restart());
  ASSERT_TRUE(becomesReady(2));
  EXPECT_TRUE(call({"PING"}));
}

TEST_F(RedisConnectionTest, AHungServerFailsCommandsInTime) {
  startServer();
  connect(server_->url());
  ASSERT_TRUE(becomesReady());
  server_->signal(SIGSTOP);
  const auto hung = call({"PING"});
  EXPECT_EQ(hung.error().kind(), ErrorKind::Unavailable);
  ASSERT_TRUE(runUntil(*reactor_, [this] { return lost_ >= 2; }));
  server_->signal(SIGCONT);
  ASSERT_TRUE(becomesReady(2));
}

TEST_F(RedisConnectionTest, PushedMessagesAndTheirLoss) {
  startServer();
  std::vector<std::string> heard;
  connect(server_->url(), [&heard](const RedisReply& reply) {
    for (const auto& element : reply.elements) {
      heard.push_back(element.text);
    }
  });
  ASSERT_TRUE(becomesReady());
  connection_->send({"SUBSCRIBE", "c"}, nullptr);
  const auto has = [&heard](const char* text) {
    return std::find(heard.begin(), heard.end(), text) != heard.end();
  };
  ASSERT_TRUE(runUntil(*reactor_, [&] { return has("subscribe"); }));
  const auto subscriber = connection_;
  ready_ = 0;
  connect(server_->url());
  ASSERT_TRUE(becomesReady());
  ASSERT_TRUE(call({"PUBLISH", "c", "hello"}));
  ASSERT_TRUE(runUntil(*reactor_, [&] { return has("hello"); }));
  subscriber->close();
}

TEST_F(RedisConnectionTest, OverTls) {
  testing::Certificates certificates;
  const auto server = certificates.issue("localhost");
  const auto client = certificates.issue("client");
  // Port 0 would be no TLS port: the kernel is asked for a free one first.
  auto probe = net::listenOn(net::Address::parse("tcp://127.0.0.1:0").value()).value();
  const auto port = std::to_string(net::localAddress(probe.get())->port);
  probe.reset();
  startServer({.settings = {"--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file",
                            server.cert_file, "--tls-key-file", server.key_file,
                            "--tls-ca-cert-file", certificates.caFile()}});
  connect("rediss://localhost:" + port + "?cacert=" + certificates.caFile() +
          "&cert=" + client.cert_file + "&key=" + client.key_file);
  ASSERT_TRUE(becomesReady()) << connection_->lastError().message();
  const std::string big(1U << 20U, 'y');
  ASSERT_TRUE(call({"SET", "big", big}));
  EXPECT_EQ(call({"GET", "big"})->text, big);
}

}  // namespace
}  // namespace flotilla
