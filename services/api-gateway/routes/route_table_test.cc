#include "api-gateway/routes/route_table.h"

#include <gtest/gtest.h>

#include <string>

#include "api-gateway/cluster/swarm_cluster.h"
#include "common/http/router.h"

namespace flotilla::gateway {
namespace {

std::string found(std::string_view method, std::string_view path) {
  const auto routes = allRoutes();
  std::vector<http::Router::Route> table;
  for (const Route* route : routes) {
    table.push_back({std::string(route->method), std::string(route->pattern)});
  }
  const auto match = http::Router(table).match(method, path);
  if (match.outcome != http::Router::Outcome::Found) {
    return "none";
  }
  std::string text(routes[match.route]->pattern);
  for (const auto& [name, value] : match.params) {
    text += " " + value;
  }
  return text;
}

TEST(RouteTable, FixedPathsWinOverHoles) {
  EXPECT_EQ(found("GET", "/containers/json"), "/containers/json");
  EXPECT_EQ(found("GET", "/images/json"), "/images/json");
  EXPECT_EQ(found("GET", "/images/get"), "/images/get");
  EXPECT_EQ(found("POST", "/volumes/create"), "/volumes/create");
  EXPECT_EQ(found("GET", "/images/json/json"), "/images/{name:.*}/json json");
  EXPECT_EQ(found("POST", "/networks/prune"), "/networks/prune");
  EXPECT_EQ(found("GET", "/containers/x/attach/ws"), "/containers/{name:.*}/attach/ws x");
  EXPECT_EQ(found("DELETE", "/images/localhost:5000/a/b"), "/images/{name:.*} localhost:5000/a/b");
}

TEST(RouteTable, EveryRowCanBeReached) {
  for (const Route* route : allRoutes()) {
    std::string path(route->pattern);
    if (const auto begin = path.find('{'); begin != std::string::npos) {
      path.replace(begin, path.find('}') - begin + 1, "some-name");
    }
    EXPECT_EQ(found(route->method, path).substr(0, route->pattern.size()), route->pattern) << path;
  }
}

TEST(RouteTable, AClusterDoesEveryJobOfTheApi) {
  for (const Route* route : allRoutes()) {
    EXPECT_TRUE(route->job.empty() || isClusterJob(route->job)) << route->job;
  }
}

}  // namespace
}  // namespace flotilla::gateway
