#include "api-gateway/gateway_service.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <string>

#include "api-gateway/testing/gateway_fixture.h"

namespace flotilla::gateway {
namespace {

using Gateway = GatewayFixture;

TEST_F(Gateway, PingAnswersAsDockerd) {
  start();
  const auto get = call("GET", "/_ping");
  EXPECT_EQ(get.status, 200);
  EXPECT_EQ(get.body, "OK");
  const auto head = call("HEAD", "/v1.24/_ping");
  EXPECT_EQ(head.status, 200);
  for (const auto* answer : {&get, &head}) {
    EXPECT_EQ(answer->headers.at("api-version"), "1.51");
    EXPECT_EQ(answer->headers.at("docker-experimental"), "false");
    EXPECT_EQ(answer->headers.at("ostype"), "linux");
    EXPECT_EQ(answer->headers.at("cache-control"), "no-cache, no-store, must-revalidate");
    EXPECT_EQ(answer->headers.at("pragma"), "no-cache");
    EXPECT_EQ(answer->headers.at("swarm"), "inactive");
    EXPECT_EQ(answer->headers.at("content-type"), "text/plain; charset=utf-8");
    EXPECT_EQ(answer->headers.count("builder-version"), 1U);
  }
}

TEST_F(Gateway, QueuesRequestsUntilTheGateOpens) {
  start(Gate::Closed);
  auto early = connect();
  early.request("GET", "/_ping");
  // Asked on the loop after the early request was read, or else it would not be waiting.
  ASSERT_TRUE(eventually([&] {
    std::size_t waiting = 0;
    onLoop([&] { waiting = gateway().handler().gate().waiting(); });
    return waiting == 1;
  }));
  EXPECT_EQ(call("GET", "/healthz").body, "starting\n");
  EXPECT_EQ(call("GET", "/metrics").status, 200);
  onLoop([&] { gateway().open(); });
  EXPECT_EQ(early.answer().body, "OK");
  EXPECT_EQ(call("GET", "/healthz").body, "ok\n");
}

TEST_F(Gateway, AGatedRequestThatWaitedTooLongIs503) {
  options().api.gate.longest_wait = std::chrono::milliseconds(20);
  start(Gate::Closed);
  EXPECT_EQ(call("GET", "/_ping").status, 503);
}

TEST_F(Gateway, CountsRequestsByRoute) {
  answer("container_inspect", "{}");
  start();
  call("GET", "/containers/a/json");
  call("GET", "/containers/b/json");
  call("GET", "/nope");
  const std::string text = call("GET", "/metrics").body;
  EXPECT_NE(
      text.find("flotilla_http_requests_total{code=\"200\",method=\"GET\",route=\"/containers/"
                "{name:.*}/json\"} 2"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("code=\"404\",method=\"any\",route=\"unmatched\"} 1"), std::string::npos);
  EXPECT_NE(text.find("flotilla_jobs_in_flight 0"), std::string::npos);
}

TEST_F(Gateway, SendsCorsHeadersWhenAsked) {
  options().api.cors_origin = "http://ui.example";
  start();
  const auto preflight = call("OPTIONS", "/v1.44/containers/json");
  EXPECT_EQ(preflight.status, 200);
  EXPECT_EQ(preflight.headers.at("access-control-allow-origin"), "http://ui.example");
  EXPECT_EQ(preflight.headers.at("access-control-allow-methods"),
            "HEAD, GET, POST, DELETE, PUT, OPTIONS");
  EXPECT_EQ(call("GET", "/_ping").headers.count("access-control-allow-headers"), 1U);
}

TEST_F(Gateway, SocketHasItsModeAndGoesAway) {
  start();
  struct stat status {};
  ASSERT_EQ(::stat(socketPath().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0660U);
  std::promise<void> stopped;
  reactor().post([&] { gateway().stop([&] { stopped.set_value(); }); });
  ASSERT_EQ(stopped.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_FALSE(std::filesystem::exists(socketPath()));
}

TEST_F(Gateway, StopLetsRunningRequestsFinish) {
  JobContextPtr running;
  std::atomic<bool> came = false;
  handle("container_stop", [&](const JobContextPtr& context) {
    running = context;
    came = true;
  });
  start();
  auto client = connect();
  client.request("POST", "/containers/x/stop");
  ASSERT_TRUE(eventually([&] { return came.load(); }));
  std::promise<void> stopped;
  auto done = stopped.get_future();
  onLoop([&] { gateway().stop([&] { stopped.set_value(); }); });
  EXPECT_FALSE(RawClient(socketPath()).call("GET", "/_ping").complete);
  running->complete(JobOutput{});
  EXPECT_EQ(client.answer().status, 204);
  EXPECT_EQ(done.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST_F(Gateway, StopCancelsWhatOutlivesTheDeadline) {
  options().drain = std::chrono::milliseconds(20);
  std::atomic<bool> cancelled = false;
  std::atomic<bool> came = false;
  handle("container_stop", [&](const JobContextPtr& context) {
    context->onCancel([&, context] {
      cancelled = true;
      context->complete(Error{ErrorKind::Unavailable, "cancelled"});
    });
    came = true;
  });
  start();
  auto client = connect();
  client.request("POST", "/containers/x/stop");
  ASSERT_TRUE(eventually([&] { return came.load(); }));
  std::promise<void> stopped;
  auto done = stopped.get_future();
  onLoop([&] { gateway().stop([&] { stopped.set_value(); }); });
  EXPECT_EQ(done.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
}

TEST_F(Gateway, RefusesASocketThatAnotherGatewayServes) {
  start();
  Metrics other_metrics;
  const auto other_reactor = *Reactor::create();
  QueueEngine none(queue(), "none");
  auto other = GatewayService::create(options(), *other_reactor, none, other_metrics);
  ASSERT_TRUE(other.has_value());
  const auto listening = (*other)->listen([](const Error&) {});
  ASSERT_FALSE(listening.has_value());
  EXPECT_EQ(listening.error().kind(), ErrorKind::Conflict);
  other->reset();
  EXPECT_EQ(call("GET", "/_ping").status, 200) << "the live socket was removed";
}

TEST_F(Gateway, TheFirstListenerThatFailsFailsThemAll) {
  options().hosts = {"unix://" + folder() + "/a.sock", "unix:///nonexistent/b.sock"};
  QueueEngine none(queue(), "none");
  auto gateway = GatewayService::create(options(), reactor(), none, metrics());
  ASSERT_TRUE(gateway.has_value());
  const auto listening = (*gateway)->listen([](const Error&) {});
  ASSERT_FALSE(listening.has_value());
  EXPECT_NE(listening.error().message().find("/nonexistent/b.sock"), std::string::npos);
  gateway->reset();
  EXPECT_FALSE(std::filesystem::exists(folder() + "/a.sock"));
}

TEST_F(Gateway, RefusesTcpBeyondLoopbackWithoutTls) {
  options().hosts = {"tcp://0.0.0.0:0"};
  QueueEngine none(queue(), "none");
  auto gateway = GatewayService::create(options(), reactor(), none, metrics());
  ASSERT_TRUE(gateway.has_value());
  const auto listening = (*gateway)->listen([](const Error&) {});
  ASSERT_FALSE(listening.has_value());
  EXPECT_EQ(listening.error().kind(), ErrorKind::InvalidArgument);
  EXPECT_NE(listening.error().message().find("--insecure-tcp"), std::string::npos);
}

TEST_F(Gateway, NamesAGroupThatDoesNotExist) {
  options().bind.group = "no-such-group-here";
  QueueEngine none(queue(), "none");
  auto gateway = GatewayService::create(options(), reactor(), none, metrics());
  ASSERT_TRUE(gateway.has_value());
  const auto listening = (*gateway)->listen([](const Error&) {});
  ASSERT_FALSE(listening.has_value());
  EXPECT_EQ(listening.error().message(), "group no-such-group-here not found");
}

}  // namespace
}  // namespace flotilla::gateway
