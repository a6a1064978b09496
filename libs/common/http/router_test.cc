#include "common/http/router.h"

#include <gtest/gtest.h>

namespace flotilla::http {
namespace {

const Router& router() {
  static const Router kRouter({
      {"GET", "/_ping"},                     // 0
      {"HEAD", "/_ping"},                    // 1
      {"GET", "/containers/json"},           // 2
      {"GET", "/containers/{name}/json"},    // 3
      {"DELETE", "/containers/{name}"},      // 4
      {"GET", "/images/json"},               // 5
      {"GET", "/images/{name:.*}/json"},     // 6
      {"GET", "/images/{name:.*}/history"},  // 7
      {"POST", "/images/{name:.*}/push"},    // 8
      {"DELETE", "/images/{name:.*}"},       // 9
      {"GET", "/x/{name:.*}/a/{rest}/json"}  // 10
  });
  return kRouter;
}

std::string found(std::string_view method, std::string_view path) {
  const Router::Match match = router().match(method, path);
  switch (match.outcome) {
    case Router::Outcome::NotFound:
      return "not found";
    case Router::Outcome::MethodNotAllowed:
      return "not allowed";
    case Router::Outcome::Found:
      break;
  }
  std::string text = std::to_string(match.route);
  for (const auto& [name, value] : match.params) {
    text += " " + std::string(name) + "=" + value;
  }
  return match.version.empty() ? text : text + " v" + match.version;
}

TEST(Router, MatchesLiteralsAndSegments) {
  EXPECT_EQ(found("GET", "/_ping"), "0");
  EXPECT_EQ(found("HEAD", "/_ping"), "1");
  EXPECT_EQ(found("GET", "/containers/json"), "2");
  EXPECT_EQ(found("GET", "/containers/c1/json"), "3 name=c1");
  EXPECT_EQ(found("GET", "/containers/a/b/json"), "not found");
  EXPECT_EQ(found("GET", "/containers//json"), "not found");
  EXPECT_EQ(found("DELETE", "/containers/json"), "4 name=json");
}

TEST(Router, WideHolesSpanSlashesAndLeaveTheSuffix) {
  EXPECT_EQ(found("GET", "/images/json"), "5");
  EXPECT_EQ(found("GET", "/images/bb/json"), "6 name=bb");
  EXPECT_EQ(found("GET", "/images/host:5000/a/b@sha256:00/json"), "6 name=host:5000/a/b@sha256:00");
  EXPECT_EQ(found("GET", "/images/a/json/json"), "6 name=a/json");
  EXPECT_EQ(found("GET", "/images/json/json"), "6 name=json");
  EXPECT_EQ(found("GET", "/images/a/history"), "7 name=a");
  EXPECT_EQ(found("POST", "/images/a/push/push"), "8 name=a/push");
  EXPECT_EQ(found("DELETE", "/images/a/b:c"), "9 name=a/b:c");
  EXPECT_EQ(found("GET", "/x//a/b/json"), "not found");
  EXPECT_EQ(found("GET", "/images/line\nbreak/json"), "6 name=line\nbreak");
  EXPECT_EQ(found("GET", "/x/n/a/y/a/z/json"), "10 name=n/a/y rest=z");
  EXPECT_EQ(found("GET", "/x/n/a/y/z/json"), "not found");
}

TEST(Router, TellsTheVersion) {
  EXPECT_EQ(found("GET", "/v1.43/_ping"), "0 v1.43");
  EXPECT_EQ(found("GET", "/v1.51/containers/c/json"), "3 name=c v1.51");
  EXPECT_EQ(found("GET", "/v99.99.99/_ping"), "0 v99.99.99");
  EXPECT_EQ(found("GET", "/v1/_ping"), "not found");
  EXPECT_EQ(found("GET", "/vx/_ping"), "not found");
  EXPECT_EQ(found("GET", "/v1.43"), "not found");
  EXPECT_EQ(found("GET", "/volumes"), "not found");
}

TEST(Router, TellsAWrongMethodFromAWrongPath) {
  EXPECT_EQ(found("POST", "/_ping"), "not allowed");
  EXPECT_EQ(found("PUT", "/v1.43/images/a/json"), "not allowed");
  EXPECT_EQ(found("GET", "/nothing"), "not found");
  EXPECT_EQ(found("GET", ""), "not found");
  EXPECT_EQ(found("GET", "*"), "not found");
  EXPECT_EQ(found("GET", "/"), "not found");
}

TEST(Router, LongPathsAreNoBurden) {
  std::string path = "/images/";
  for (int i = 0; i < 30'000; ++i) {
    path += "a/";
  }
  EXPECT_EQ(found("GET", path + "nothing"), "not allowed");
  EXPECT_EQ(found("GET", path + "x/json").substr(0, 8), "6 name=a");
  EXPECT_EQ(found("GET", "/x" + path + "x/y/json"), "not found");
}

}  // namespace
}  // namespace flotilla::http
