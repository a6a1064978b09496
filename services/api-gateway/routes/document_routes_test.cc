#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api-gateway/testing/gateway_fixture.h"

namespace flotilla::gateway {
namespace {

using DocumentRoutes = GatewayFixture;

struct Expected {
  std::string method, target, body;
  std::string job;
  std::vector<std::string> args;
  int status;
};

// Every row whose answer is one document or nothing.
const std::vector<Expected> kRows = {
    {"GET", "/version", "", "version", {}, 200},
    {"GET", "/info", "", "info", {}, 200},
    {"GET", "/containers/json", "", "container_list", {}, 200},
    {"POST", "/containers/create", "{\"Image\":\"x\"}", "container_create", {}, 201},
    {"GET", "/containers/web/json", "", "container_inspect", {"web"}, 200},
    {"POST", "/containers/web/start", "", "container_start", {"web"}, 204},
    {"POST", "/containers/web/stop", "", "container_stop", {"web"}, 204},
    {"POST", "/containers/web/restart", "", "container_restart", {"web"}, 204},
    {"POST", "/containers/web/kill", "", "container_kill", {"web"}, 204},
    {"POST", "/containers/web/pause", "", "container_pause", {"web"}, 204},
    {"POST", "/containers/web/unpause", "", "container_unpause", {"web"}, 204},
    {"POST", "/containers/web/rename?name=x", "", "container_rename", {"web"}, 204},
    {"POST", "/containers/web/update", "{}", "container_update", {"web"}, 200},
    {"GET", "/containers/web/top", "", "container_top", {"web"}, 200},
    {"POST", "/containers/web/resize?h=1&w=2", "", "container_resize", {"web"}, 200},
    {"DELETE", "/containers/web", "", "container_remove", {"web"}, 204},
    {"POST", "/containers/web/exec", "{}", "exec_create", {"web"}, 201},
    {"POST", "/exec/e1/start", "{\"Detach\":true}", "exec_start", {"e1"}, 200},
    {"POST", "/exec/e1/resize?h=1&w=2", "", "exec_resize", {"e1"}, 200},
    {"GET", "/exec/e1/json", "", "exec_inspect", {"e1"}, 200},
    {"GET", "/images/json", "", "image_list", {}, 200},
    {"GET", "/images/a/b:c/json", "", "image_inspect", {"a/b:c"}, 200},
    {"GET", "/images/a%2Fb/history", "", "image_history", {"a/b"}, 200},
    {"POST", "/images/a/tag?repo=b&tag=c", "", "image_tag", {"a"}, 201},
    {"DELETE", "/images/a:b", "", "image_remove", {"a:b"}, 200},
    {"GET", "/networks", "", "network_list", {}, 200},
    {"GET", "/networks/bridge", "", "network_inspect", {"bridge"}, 200},
    {"GET", "/volumes", "", "volume_list", {}, 200},
    {"POST", "/volumes/create", "{}", "volume_create", {}, 201},
    {"GET", "/volumes/v", "", "volume_inspect", {"v"}, 200},
    {"DELETE", "/volumes/v", "", "volume_remove", {"v"}, 204},
};

TEST_F(DocumentRoutes, BecomeJobsAndAnswerWithTheirStatus) {
  start();
  for (const Expected& row : kRows) {
    for (const std::string prefix : {"", "/v1.41"}) {
      const auto answer = call(row.method, prefix + row.target, row.body);
      EXPECT_EQ(answer.status, row.status) << row.method << " " << row.target;
      EXPECT_EQ(answer.body, "");
      EXPECT_TRUE(answer.complete);
      const Job job = lastJob();
      EXPECT_EQ(job.name, row.job) << row.method << " " << row.target;
      EXPECT_EQ(job.args, row.args);
      EXPECT_EQ(job.body, row.body);
      EXPECT_EQ(job.api_version, prefix.empty() ? (ApiVersion{1, 51}) : (ApiVersion{1, 41}));
      EXPECT_EQ(job.id.size(), 32U);
      EXPECT_FALSE(job.request_id.empty());
    }
  }
}

TEST_F(DocumentRoutes, PassTheDocumentOnAsJson) {
  answer("container_inspect", R"({"Id":"1"})");
  start();
  const auto answer = call("GET", "/containers/x/json");
  EXPECT_EQ(answer.body, "{\"Id\":\"1\"}\n");
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
}

TEST_F(DocumentRoutes, GiveTheStandardHeaders) {
  start();
  const auto headers = call("GET", "/info").headers;
  EXPECT_EQ(headers.at("api-version"), "1.51");
  EXPECT_EQ(headers.at("docker-experimental"), "false");
  EXPECT_EQ(headers.at("ostype"), "linux");
  EXPECT_EQ(headers.at("server").substr(0, 7), "Docker/");
}

TEST_F(DocumentRoutes, PutTheQueryIntoTheEnvironment) {
  start();
  call("GET", "/containers/json?all=1&limit=5&filters=%7B%22a%22%3A%5B%22b%22%5D%7D&bogus=1");
  const Job list = lastJob();
  EXPECT_EQ(list.env.get("all"), "1");
  EXPECT_EQ(list.env.get("limit"), "5");
  EXPECT_EQ(list.env.get("filters"), "{\"a\":[\"b\"]}");
  EXPECT_FALSE(list.env.has("bogus"));
  call("POST", "/containers/x/stop?t=-1&signal=HUP");
  EXPECT_EQ(lastJob().env.get("t"), "-1");
  EXPECT_EQ(lastJob().env.get("signal"), "HUP");
}

TEST_F(DocumentRoutes, CreateAssignsTheContainersId) {
  start();
  call("POST", "/containers/create?name=web&platform=linux", "{}");
  const Job first = lastJob();
  EXPECT_EQ(first.env.get("name"), "web");
  EXPECT_EQ(first.env.get("platform"), "linux");
  const std::string id = first.env.get("id");
  EXPECT_EQ(id.size(), 64U);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  call("POST", "/containers/create", "{}");
  EXPECT_NE(lastJob().env.get("id"), id);
}

TEST_F(DocumentRoutes, FailuresKeepKindAndMessage) {
  fail("container_start", {ErrorKind::NotModified, ""});
  fail("container_inspect", {ErrorKind::NotFound, "No such container: x"});
  fail("container_remove", {ErrorKind::Conflict, "cannot remove \"x\"\n"});
  fail("info", {ErrorKind::Internal, "broken"});
  start();
  EXPECT_EQ(call("POST", "/containers/x/start").status, 304);
  const auto missing = call("GET", "/containers/x/json");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(missing.body, "{\"message\":\"No such container: x\"}\n");
  EXPECT_EQ(missing.headers.count("x-request-id"), 1U);
  EXPECT_EQ(call("DELETE", "/containers/x").status, 409);
  EXPECT_EQ(call("DELETE", "/containers/x").body, "{\"message\":\"cannot remove \\\"x\\\"\\n\"}\n");
  EXPECT_EQ(call("GET", "/info").status, 500);
}

TEST_F(DocumentRoutes, RequestIdFollowsTheRequestIntoTheJob) {
  fail("info", {ErrorKind::Internal, "broken"});
  start();
  const auto answer = call("GET", "/info", "", "X-Request-Id: my-request-1\r\n");
  EXPECT_EQ(answer.headers.at("x-request-id"), "my-request-1");
  EXPECT_EQ(lastJob().request_id, "my-request-1");
}

TEST_F(DocumentRoutes, AClientThatLeavesCancelsItsJob) {
  std::atomic<bool> cancelled = false;
  std::atomic<bool> running = false;
  handle("container_stop", [&](const JobContextPtr& context) {
    context->onCancel([&cancelled, context] {
      cancelled = true;
      context->complete(JobOutput{});
    });
    running = true;
  });
  start();
  {
    auto client = connect();
    client.request("POST", "/containers/x/stop");
    ASSERT_TRUE(eventually([&] { return running.load(); }));
  }
  EXPECT_TRUE(eventually([&] { return cancelled.load(); }));
}

TEST_F(DocumentRoutes, KeepTheConnectionForTheNextRequest) {
  answer("info", "{}");
  start();
  auto client = connect();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.call("GET", "/info").status, 200);
    EXPECT_EQ(client.call("POST", "/containers/x/start").status, 204);
    EXPECT_EQ(client.call("GET", "/nothing").status, 404);
  }
}

}  // namespace
}  // namespace flotilla::gateway
