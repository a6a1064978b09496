#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "api-gateway/testing/gateway_fixture.h"
#include "common/os/unique_fd.h"

namespace flotilla::gateway {
namespace {

std::string readToEnd(int fd) {
  std::string all;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t size = ::read(fd, piece.data(), piece.size());
    if (size <= 0) {
      return all;
    }
    all.append(piece.data(), static_cast<std::size_t>(size));
  }
}

void writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) {
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

class StreamRoutes : public GatewayFixture {
 protected:
  ~StreamRoutes() override {
    std::vector<std::thread> workers;
    {
      const std::lock_guard lock(mutex_);
      workers.swap(workers_);
    }
    for (auto& worker : workers) {
      worker.join();
    }
  }

  /// The job `name` is established with a stream that `work` serves on a thread of its own, with a
  /// blocking descriptor; its return value is the job's result.
  void serveStream(const std::string& name, std::function<JobResult(int fd)> work,
                   JobEnv env = {}) {
    handle(name, [this, work = std::move(work), env](const JobContextPtr& context) {
      const auto endpoint = streams().expectFd([this, work, context](Result<int> fd) {
        ASSERT_TRUE(fd.has_value());
        const std::lock_guard lock(mutex_);
        workers_.emplace_back([work, context, owned = UniqueFd(*fd)]() mutable {
          JobResult result = work(owned.get());
          owned.reset();
          context->complete(std::move(result));
        });
      });
      context->established({.stream = endpoint, .env = env});
    });
  }

 private:
  std::mutex mutex_;  // guards workers_
  std::vector<std::thread> workers_;
};

JobEnv tty() {
  JobEnv env;
  env.setBool("tty", true);
  return env;
}

constexpr std::string_view kUpgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";

TEST_F(StreamRoutes, WaitSendsItsHeadersBeforeTheResult) {
  JobContextPtr waiting;
  std::atomic<bool> registered = false;
  handle("container_wait", [&](const JobContextPtr& context) {
    context->established({});
    waiting = context;
    registered = true;
  });
  start();
  auto client = connect();
  client.request("POST", "/containers/x/wait?condition=next-exit");
  const auto head = client.head();
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-type"), "application/json");
  ASSERT_TRUE(eventually([&] { return registered.load(); }));
  EXPECT_EQ(lastJob().env.get("condition"), "next-exit");
  waiting->complete(JobOutput{.body = R"({"StatusCode":3})"});
  EXPECT_EQ(client.readUntil("0\r\n\r\n"), "11\r\n{\"StatusCode\":3}\n\r\n0\r\n\r\n");
  EXPECT_EQ(client.call("GET", "/info").status, 200);
}

TEST_F(StreamRoutes, WaitThatFailsAtOnceIsAnError) {
  fail("container_wait", {ErrorKind::NotFound, "No such container: x"});
  start();
  EXPECT_EQ(call("POST", "/containers/x/wait").status, 404);
}

TEST_F(StreamRoutes, WaitBefore130KnowsNoConditions) {
  answer("container_wait", R"({"StatusCode":0})");
  start();
  const auto answered = call("POST", "/v1.29/containers/x/wait?condition=whatever");
  EXPECT_EQ(answered.body, "{\"StatusCode\":0}\n");
  EXPECT_EQ(lastJob().env.get("condition"), "");
}

TEST_F(StreamRoutes, AClientThatLeavesAWaitCancelsIt) {
  std::atomic<bool> cancelled = false;
  handle("container_wait", [&](const JobContextPtr& context) {
    context->onCancel([&cancelled, context] {
      cancelled = true;
      context->complete(Error{ErrorKind::Unavailable, "cancelled"});
    });
    context->established({});
  });
  start();
  {
    auto client = connect();
    client.request("POST", "/containers/x/wait");
    EXPECT_EQ(client.head().status, 200);
  }
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
}

TEST_F(StreamRoutes, LogsAreChunkedAndNamedByVersionAndTty) {
  serveStream("container_logs", [](int fd) -> JobResult {
    writeAll(fd, "hello");
    return JobOutput{};
  });
  start();
  const auto now = call("GET", "/containers/x/logs?stdout=1&follow=1");
  EXPECT_EQ(now.body, "hello");
  EXPECT_TRUE(now.complete);
  EXPECT_EQ(now.headers.at("content-type"), "application/vnd.docker.multiplexed-stream");
  EXPECT_EQ(now.headers.at("api-version"), "1.51");
  const auto before = call("GET", "/v1.41/containers/x/logs?stdout=1");
  EXPECT_EQ(before.headers.at("content-type"), "application/vnd.docker.raw-stream");
}

TEST_F(StreamRoutes, LogsOfATerminalAreRaw) {
  serveStream(
      "container_logs", [](int) -> JobResult { return JobOutput{}; }, tty());
  start();
  const auto answer = call("GET", "/containers/x/logs?stdout=1");
  EXPECT_EQ(answer.headers.at("content-type"), "application/vnd.docker.raw-stream");
}

TEST_F(StreamRoutes, AClientThatLeavesFollowedLogsCancelsThem) {
  std::atomic<bool> cancelled = false;
  handle("container_logs", [&](const JobContextPtr& context) {
    context->established({.stream = streams().expect([&, context](Result<net::StreamPtr> stream) {
      ASSERT_TRUE(stream.has_value());
      context->onCancel([&cancelled, context, kept = *std::move(stream)] {
        cancelled = true;
        context->complete(JobOutput{});
      });
    })});
  });
  start();
  {
    auto client = connect();
    client.request("GET", "/containers/x/logs?stdout=1&follow=1");
    EXPECT_EQ(client.head().status, 200);
  }
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
}

TEST_F(StreamRoutes, SaveIsATarAndTakesNamesFromPathOrQuery) {
  serveStream("image_save", [](int fd) -> JobResult {
    writeAll(fd, std::string(300000, 't'));
    return JobOutput{};
  });
  start();
  const auto one = call("GET", "/images/a/b/get");
  EXPECT_EQ(one.headers.at("content-type"), "application/x-tar");
  EXPECT_EQ(one.body, std::string(300000, 't'));
  EXPECT_EQ(lastJob().args, std::vector<std::string>{"a/b"});
  call("GET", "/images/get?names=a&names=b");
  EXPECT_EQ(lastJob().args, (std::vector<std::string>{"a", "b"}));
}

/// What a client must see of each download whose job failed after its head was sent.
constexpr std::array kDownloads = {
    std::pair{"image_save", "GET /images/a/get"},
    std::pair{"image_create", "POST /images/create?fromImage=a"},
    std::pair{"container_logs", "GET /containers/x/logs?stdout=1"},
    std::pair{"container_stats", "GET /containers/x/stats"},
    std::pair{"events", "GET /events"},
};

RawClient::Answer ask(RawClient client, const std::string& request) {
  const auto space = request.find(' ');
  client.request(request.substr(0, space), request.substr(space + 1));
  auto answer = client.answer();
  EXPECT_EQ(client.readAll(), "") << "the connection is of no more use";
  return answer;
}

TEST_F(StreamRoutes, ADownloadWhoseJobFailsIsCut) {
  for (const auto& [job, request] : kDownloads) {
    serveStream(job, [](int fd) -> JobResult {
      writeAll(fd, std::string(300000, 't'));
      ::shutdown(fd, SHUT_WR);
      return Error{ErrorKind::Internal, "the disk is gone"};
    });
  }
  start();
  for (const auto& [job, request] : kDownloads) {
    const auto answer = ask(connect(), request);
    EXPECT_EQ(answer.status, 200) << request;
    EXPECT_FALSE(answer.complete) << request;
  }
}

TEST_F(StreamRoutes, ADownloadWhoseResultNeverComesIsCut) {
  options().api.result_patience = std::chrono::milliseconds(30);
  std::mutex mutex;
  std::vector<JobContextPtr> dead;  // what a worker had that was killed
  for (const auto& [job, request] : kDownloads) {
    handle(job, [&mutex, &dead, this](const JobContextPtr& context) {
      {
        const std::lock_guard lock(mutex);
        dead.push_back(context);
      }
      context->established({.stream = streams().expect([](Result<net::StreamPtr> stream) {
        ASSERT_TRUE(stream.has_value());
        EXPECT_TRUE((*stream)->write("a part"));
        (*stream)->close();
      })});
    });
  }
  start();
  for (const auto& [job, request] : kDownloads) {
    const auto answer = ask(connect(), request);
    EXPECT_EQ(answer.body, "a part") << request;
    EXPECT_FALSE(answer.complete) << request;
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(eventually([&] { return dead.back()->cancelled(); })) << request;
  }
  const std::lock_guard lock(mutex);
  for (const auto& context : dead) {
    context->complete(JobOutput{});
  }
}

TEST_F(StreamRoutes, ADownloadWaitsForAResultThatIsLate) {
  std::atomic<bool> go = false;
  serveStream("image_save", [&go](int fd) -> JobResult {
    writeAll(fd, "archive");
    ::shutdown(fd, SHUT_WR);
    EXPECT_TRUE(eventually([&] { return go.load(); }));
    return JobOutput{};
  });
  start();
  auto client = connect();
  client.request("GET", "/images/a/get");
  EXPECT_EQ(client.head().status, 200);
  EXPECT_EQ(client.readUntil("archive\r\n"), "7\r\narchive\r\n");
  go = true;
  EXPECT_EQ(client.readExactly(5), "0\r\n\r\n");
  EXPECT_EQ(client.call("GET", "/info").status, 200) << "the connection is kept";
}

TEST_F(StreamRoutes, AResultThatComesBeforeTheEndOfItsStreamWaitsForIt) {
  handle("container_logs", [this](const JobContextPtr& context) {
    context->established({.stream = streams().expectFd([context](Result<int> fd) {
      ASSERT_TRUE(fd.has_value());
      const UniqueFd owned(*fd);
      context->complete(JobOutput{});
      writeAll(owned.get(), "all of it");
    })});
  });
  start();
  const auto answer = call("GET", "/containers/x/logs?stdout=1");
  EXPECT_EQ(answer.body, "all of it");
  EXPECT_TRUE(answer.complete);
}

TEST_F(StreamRoutes, AnUploadWhoseJobFailsAfterItSpokeIsCut) {
  serveStream("image_load", [](int fd) -> JobResult {
    readToEnd(fd);
    writeAll(fd, "{\"status\":\"Loading layer\"}\r\n");
    ::shutdown(fd, SHUT_WR);
    return Error{ErrorKind::Internal, "the disk is gone"};
  });
  start();
  const auto answer = call("POST", "/images/load", "abc", "Content-Type: application/x-tar\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"status\":\"Loading layer\"}\r\n");
  EXPECT_FALSE(answer.complete);
}

TEST_F(StreamRoutes, AnUploadThatNobodyAnswersIsAnError) {
  options().api.result_patience = std::chrono::milliseconds(30);
  JobContextPtr dead;
  handle("image_load", [&dead, this](const JobContextPtr& context) {
    dead = context;
    context->established({.stream = streams().expect([](Result<net::StreamPtr> stream) {
      ASSERT_TRUE(stream.has_value());
      (*stream)->close();
    })});
  });
  start();
  EXPECT_EQ(call("POST", "/images/load", "abc", "Content-Type: application/x-tar\r\n").status, 503);
  dead->complete(JobOutput{});
}

TEST_F(StreamRoutes, LoadFeedsTheBodyAndStreamsTheAnswers) {
  std::string received;
  serveStream("image_load", [&received](int fd) -> JobResult {
    received = readToEnd(fd);
    writeAll(fd, "{\"stream\":\"Loaded\"}\r\n");
    return JobOutput{};
  });
  start();
  const std::string archive(3U << 20U, 'a');
  const auto answer =
      call("POST", "/images/load?quiet=1", archive, "Content-Type: application/x-tar\r\n");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"stream\":\"Loaded\"}\r\n");
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_EQ(received, archive);
}

TEST_F(StreamRoutes, ImportThatFailsWithoutAWordIsAnErrorResponse) {
  serveStream("image_import", [](int fd) -> JobResult {
    readToEnd(fd);
    return Error{ErrorKind::InvalidArgument, "unexpected EOF"};
  });
  start();
  const auto answer = call("POST", "/images/create?fromSrc=-&repo=r&changes=A&changes=B", "abc",
                           "Content-Type: application/x-tar\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, "{\"message\":\"unexpected EOF\"}\n");
  EXPECT_EQ(lastJob().env.getList("changes"), (std::vector<std::string>{"A", "B"}));
}

TEST_F(StreamRoutes, AttachUpgradesAndMovesBytesBothWays) {
  serveStream("container_attach", [](int fd) -> JobResult {
    writeAll(fd, "ready");
    const std::string input = readToEnd(fd);
    writeAll(fd, "got " + input);
    return JobOutput{};
  });
  start();
  auto client = connect();
  client.request("POST", "/containers/x/attach?stream=1&stdin=1&stdout=1", "", kUpgrade);
  EXPECT_EQ(client.readUntil("\r\n\r\n"),
            "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\n"
            "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
  EXPECT_EQ(client.readExactly(5), "ready");
  client.send("input");
  client.shutdownWrite();
  EXPECT_EQ(client.readAll(), "got input");
}

TEST_F(StreamRoutes, AttachedClientsAreLetGoWhenTheGatewayStops) {
  std::promise<void> let_go;
  serveStream("container_attach", [&let_go](int fd) -> JobResult {
    readToEnd(fd);
    let_go.set_value();
    return JobOutput{};
  });
  start();
  auto client = connect();
  client.request("POST", "/containers/x/attach?stream=1&stdin=1&stdout=1", "", kUpgrade);
  client.readUntil("\r\n\r\n");
  onLoop([&] { gateway().stop([] {}); });
  EXPECT_EQ(let_go.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(StreamRoutes, AttachWithoutUpgradeIs200AndRaw) {
  serveStream("container_attach", [](int fd) -> JobResult {
    writeAll(fd, "bytes");
    return JobOutput{};
  });
  start();
  auto client = connect();
  client.request("POST", "/containers/x/attach?stream=1&stdout=1");
  EXPECT_EQ(client.readAll(),
            "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nbytes");
}

TEST_F(StreamRoutes, AttachOfATerminalIsRaw) {
  serveStream(
      "container_attach", [](int) -> JobResult { return JobOutput{}; }, tty());
  start();
  auto client = connect();
  client.request("POST", "/containers/x/attach?stream=1", "", kUpgrade);
  EXPECT_NE(client.readAll().find("application/vnd.docker.raw-stream"), std::string::npos);
}

TEST_F(StreamRoutes, AttachThatFailsSpeaksPlainText) {
  fail("container_attach", {ErrorKind::NotFound, "No such container: x"});
  start();
  auto client = connect();
  client.request("POST", "/containers/x/attach?stream=1", "", kUpgrade);
  EXPECT_EQ(client.readAll(),
            "HTTP/1.1 404 Not Found\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
            "No such container: x\r\n");
}

TEST_F(StreamRoutes, ExecStreamsWithTheStandardHeaders) {
  serveStream("exec_start", [](int fd) -> JobResult {
    writeAll(fd, "out");
    return JobOutput{};
  });
  start();
  auto client = connect();
  client.request("POST", "/exec/e/start", "{\"Tty\":true}", kUpgrade);
  const std::string all = client.readAll();
  EXPECT_EQ(all.substr(0, 24), "HTTP/1.1 101 UPGRADED\r\nC");
  EXPECT_NE(all.find("Content-Type: application/vnd.docker.raw-stream\r\n"), std::string::npos);
  EXPECT_NE(all.find("Api-Version: 1.51\r\n"), std::string::npos);
  EXPECT_TRUE(all.ends_with("\r\n\r\nout"));
  EXPECT_EQ(lastJob().body, "{\"Tty\":true}");
}

TEST_F(StreamRoutes, ExecErrorsOfTheRuntimeGoIntoTheStream) {
  fail("exec_start", {ErrorKind::InvalidArgument, "no such program"});
  start();
  auto client = connect();
  client.request("POST", "/exec/e/start", "{}", kUpgrade);
  const std::string all = client.readAll();
  EXPECT_EQ(all.substr(0, 21), "HTTP/1.1 101 UPGRADED");
  EXPECT_TRUE(all.ends_with(std::string("\r\n\r\n\1\0\0\0\0\0\0\x11no such program\r\n", 29)));
  EXPECT_EQ(call("POST", "/exec/e/start", "{\"Detach\":true}").status, 400);
}

TEST_F(StreamRoutes, ExecThatCannotStartIsAnErrorResponse) {
  fail("exec_start", {ErrorKind::NotFound, "No such exec instance: e"});
  start();
  EXPECT_EQ(call("POST", "/exec/e/start", "{}", kUpgrade).status, 404);
}

TEST_F(StreamRoutes, AStreamThatCannotBeReachedIsUnavailable) {
  handle("container_logs", [this](const JobContextPtr& context) {
    context->established(
        {.stream = StreamEndpoint{"unix:" + folder() + "/nobody.sock", std::string(32, '0')}});
    context->complete(JobOutput{});
  });
  start();
  EXPECT_EQ(call("GET", "/containers/x/logs?stdout=1").status, 503);
}

TEST_F(StreamRoutes, ManyOpenRequestsHoldNoThreadAndLetOthersThrough) {
  std::atomic<int> waiting = 0;
  std::vector<JobContextPtr> contexts;
  std::mutex mutex;
  handle("container_wait", [&](const JobContextPtr& context) {
    context->established({});
    const std::lock_guard lock(mutex);
    contexts.push_back(context);
    ++waiting;
  });
  answer("info", "{}");
  start();
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(connect());
    clients.back().request("POST", "/containers/x/wait");
  }
  ASSERT_TRUE(eventually([&] { return waiting == 200; }));
  EXPECT_EQ(call("GET", "/info").status, 200);
  clients.clear();
  const std::lock_guard lock(mutex);
  for (const auto& context : contexts) {
    EXPECT_TRUE(eventually([&] { return context->cancelled(); }));
    context->complete(JobOutput{});
  }
}

}  // namespace
}  // namespace flotilla::gateway
