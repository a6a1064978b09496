#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "api-gateway/routes/route_table.h"
#include "api-gateway/testing/gateway_fixture.h"

namespace flotilla::gateway {
namespace {

using BadInput = GatewayFixture;

std::string message(const RawClient::Answer& answer) {
  const std::string start = "{\"message\":\"";
  const std::string end = "\"}\n";
  if (!answer.body.starts_with(start) || !answer.body.ends_with(end)) {
    return "not an error document: " + answer.body;
  }
  return answer.body.substr(start.size(), answer.body.size() - start.size() - end.size());
}

TEST_F(BadInput, InvalidJsonIsRefusedWhereverADocumentIsRead) {
  start();
  const std::vector<std::pair<std::string, std::string>> endpoints = {
      {"/containers/create", "container.CreateRequest"},
      {"/containers/x/update", "container.UpdateConfig"},
      {"/containers/x/exec", "container.ExecOptions"},
      {"/exec/x/start", "container.ExecStartOptions"},
      {"/volumes/create", "volume.CreateOptions"},
  };
  for (const auto& [path, type] : endpoints) {
    const auto refused = [&](std::string_view body, std::string_view headers = {}) {
      const auto answer = call("POST", path, body, headers);
      EXPECT_EQ(answer.status, 400) << path << " " << body;
      return message(answer);
    };
    EXPECT_EQ(refused("{bad"),
              "invalid JSON: invalid character 'b' looking for beginning of object key string");
    EXPECT_EQ(refused("{}{}"), "unexpected content after JSON");
    EXPECT_EQ(refused("{\"a\":"), "invalid JSON: unexpected EOF");
    EXPECT_EQ(refused("[]"),
              "invalid JSON: json: cannot unmarshal array into Go value of type " + type);
    EXPECT_EQ(refused("{}", "Content-Type: text/plain\r\n"),
              "unsupported Content-Type header (text/plain): must be 'application/json'");
    EXPECT_EQ(refused("{}", "Content-Type: \r\n"),
              "malformed Content-Type header (): mime: no media type");
  }
}

TEST_F(BadInput, DocumentsBeyondFourMebibytesAreRefused) {
  start();
  const std::string padding(5U << 20U, ' ');
  EXPECT_EQ(call("POST", "/volumes/create", "{" + padding + "}").status, 400);
  EXPECT_EQ(call("POST", "/volumes/create", "{" + padding.substr(0, 3U << 20U) + "}").status, 201);
}

TEST_F(BadInput, EmptyDocumentsAreFineButForCreate) {
  start();
  EXPECT_EQ(call("POST", "/volumes/create").status, 201);
  EXPECT_EQ(lastJob().body, "{}");
  EXPECT_EQ(call("POST", "/volumes/create", "null").status, 201);
  const auto create = call("POST", "/containers/create");
  EXPECT_EQ(create.status, 400);
  EXPECT_EQ(message(create), "invalid JSON: got EOF while reading request body");
  EXPECT_EQ(
      call("POST", "/volumes/create", "{}", "Content-Type: Application/JSON ; charset=utf-8\r\n")
          .status,
      201);
}

TEST_F(BadInput, ParametersAreCheckedInDockersWords) {
  start();
  const std::vector<std::pair<std::pair<std::string, std::string>, std::string>> cases = {
      {{"GET", "/containers/json?limit=x"}, "strconv.Atoi: parsing \\\"x\\\": invalid syntax"},
      {{"POST", "/containers/x/stop?t=1.5"}, "strconv.Atoi: parsing \\\"1.5\\\": invalid syntax"},
      {{"POST", "/containers/x/stop?t=99999999999999999999"},
       "strconv.Atoi: parsing \\\"99999999999999999999\\\": value out of range"},
      {{"POST", "/containers/x/resize?h=x&w=3"}, "invalid resize height \\\"x\\\": invalid syntax"},
      {{"POST", "/containers/x/resize?h=3"}, "invalid resize width \\\"\\\": invalid syntax"},
      {{"POST", "/exec/x/resize?h=-1&w=1"}, "invalid resize height \\\"-1\\\": invalid syntax"},
      {{"POST", "/containers/x/wait?condition=foo"}, "invalid condition: \\\"foo\\\""},
      {{"POST", "/containers/x/rename"}, "Neither old nor new names may be empty"},
      {{"GET", "/containers/x/logs"}, "Bad parameters: you must choose at least one stream"},
      {{"GET", "/containers/x/logs?stdout=false&stderr=0"},
       "Bad parameters: you must choose at least one stream"},
  };
  for (const auto& [request, expected] : cases) {
    const auto answer = call(request.first, request.second);
    EXPECT_EQ(answer.status, 400) << request.second;
    EXPECT_EQ(message(answer), expected) << request.second;
  }
}

TEST_F(BadInput, StartTakesNoBody) {
  start();
  EXPECT_EQ(call("POST", "/containers/x/start", "1234567").status, 204);
  const auto answer = call("POST", "/containers/x/start", "12345678");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(message(answer),
            "starting container with non-empty request body was deprecated since API v1.22 and "
            "removed in v1.24");
}

TEST_F(BadInput, VersionsOutsideTheRangeAreRefused) {
  start();
  const auto too_new = call("GET", "/v1.52/info");
  EXPECT_EQ(too_new.status, 400);
  EXPECT_EQ(message(too_new),
            "client version 1.52 is too new. Maximum supported API version is 1.51");
  const auto too_old = call("GET", "/v1.23/info");
  EXPECT_EQ(too_old.status, 400);
  EXPECT_EQ(too_old.body,
            "client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade "
            "your client to a newer version\n");
  EXPECT_EQ(too_old.headers.at("content-type"), "text/plain; charset=utf-8");
}

TEST_F(BadInput, UnknownPathsAndMethodsAreNotFound) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"GET", "/"},           {"GET", "/nope"},       {"GET", "/v1.44/nope"},
      {"GET", "/v1.44"},      {"DELETE", "/version"}, {"PUT", "/info"},
      {"GET", "/vfoo/info"},  {"POST", "/_ping"},     {"GET", "/info/"},
      {"BREW", "/info"},      {"GET", "//info"},      {"GET", "/v1.44/../info"},
      {"GET", "/v1.52/nope"}, {"HEAD", "/version"},
  };
  for (const auto& [method, path] : cases) {
    const auto answer = call(method, path);
    EXPECT_EQ(answer.status, 404) << method << " " << path;
    if (method != "HEAD") {
      EXPECT_EQ(message(answer), "page not found") << method << " " << path;
    }
  }
}

TEST_F(BadInput, NoPluginIsFound) {
  start();
  const auto answer = call("GET", "/plugins/x/json");
  EXPECT_EQ(answer.status, 404);
  EXPECT_NE(message(answer).find("not found"), std::string::npos);
}

TEST_F(BadInput, EndpointsWithoutAJobAreNamed) {
  start();
  for (const Route& route : pendingRoutes()) {
    if (route.handler != answerNotImplemented) {
      continue;
    }
    std::string path(route.pattern);
    std::string shown(route.pattern);
    if (const auto begin = path.find('{'); begin != std::string::npos) {
      path.replace(begin, path.find('}') - begin + 1, "x");
    }
    if (const auto regex = shown.find(":.*"); regex != std::string::npos) {
      shown.erase(regex, 3);
    }
    const auto answer = call(route.method, path);
    EXPECT_EQ(answer.status, 501) << route.method << " " << path;
    if (route.method != "HEAD") {
      EXPECT_EQ(message(answer), std::string(route.method) + " " + shown + " is not implemented");
    }
  }
  EXPECT_EQ(call("POST", "/images/create?fromSrc=http://x/y.tar").status, 501);
  EXPECT_EQ(call("POST", "/images/create?fromSrc=http://x/y").status, 501);
}

}  // namespace
}  // namespace flotilla::gateway
