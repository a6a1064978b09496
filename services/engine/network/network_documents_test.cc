#include "engine/network/network_documents.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

const NetworkRecord kBridge{"d73b", "bridge", "bridge", 1795314977084444630,
                            Ipv4Prefix::parse("172.17.0.1/16")};
const NetworkRecord kNone{"ebaa", "none", "null", 1795314977000000000, std::nullopt};
const BridgeOptions kOptions{"flotilla0", 1500};

TEST(NetworkDocument, HasDockerdsFieldsForTheBridge) {
  Endpoint endpoint;
  endpoint.network_id = "d73b";
  endpoint.endpoint_id = "ep";
  endpoint.mac_address = "02:42:ac:11:00:02";
  endpoint.ipv4_address = "172.17.0.2";
  endpoint.prefix_length = 16;
  EXPECT_EQ(
      networkDocument(kBridge, kOptions, {{"c1", "web", endpoint}, {"c2", "other", Endpoint{}}}),
      R"({"Name":"bridge","Id":"d73b","Created":"2026-11-22T02:36:17.08444463Z","Scope":"local","Driver":"bridge",)"
      R"("EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Driver":"default","Options":null,"Config":[{"Subnet":"172.17.0.0/16",)"
      R"("Gateway":"172.17.0.1"}]},"Internal":false,"Attachable":false,"Ingress":false,"ConfigFrom":{"Network":""},)"
      R"("ConfigOnly":false,"Containers":{"c1":{"Name":"web","EndpointID":"ep","MacAddress":"02:42:ac:11:00:02",)"
      R"("IPv4Address":"172.17.0.2/16","IPv6Address":""}},"Options":{"com.docker.network.bridge.default_bridge":"true",)"
      R"("com.docker.network.bridge.enable_icc":"true","com.docker.network.bridge.enable_ip_masquerade":"true",)"
      R"("com.docker.network.bridge.host_binding_ipv4":"0.0.0.0","com.docker.network.bridge.name":"flotilla0",)"
      R"("com.docker.network.driver.mtu":"1500"},"Labels":{}})");
}

TEST(NetworkDocument, HasNeitherAddressesNorOptionsForNone) {
  EXPECT_EQ(
      networkDocument(kNone, kOptions, {}),
      R"({"Name":"none","Id":"ebaa","Created":"2026-11-22T02:36:17Z","Scope":"local","Driver":"null",)"
      R"("EnableIPv4":true,"EnableIPv6":false,"IPAM":{"Driver":"default","Options":null,"Config":null},)"
      R"("Internal":false,"Attachable":false,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,)"
      R"("Containers":{},"Options":{},"Labels":{}})");
}

TEST(NetworkFilters, MatchAsDockerd) {
  const auto matches = [](const char* name, std::vector<std::string> values) {
    return matchesNetworkFilters(kBridge, {{name, std::move(values)}});
  };
  EXPECT_TRUE(matches("name", {"ri"}));
  EXPECT_FALSE(matches("name", {"host"}));
  EXPECT_TRUE(matches("driver", {"host", "bridge"}));
  EXPECT_FALSE(matches("driver", {"bri"}));
  EXPECT_TRUE(matches("id", {"d7"}));
  EXPECT_FALSE(matches("scope", {"loc"}));
  EXPECT_FALSE(matches("type", {"custom"}));
  EXPECT_FALSE(matches("label", {"a"}));
  EXPECT_FALSE(matches("dangling", {"true"}));
  EXPECT_TRUE(matchesNetworkFilters(kBridge, {}));
}

TEST(NetworkFilters, RefuseInDockersWords) {
  EXPECT_EQ(checkNetworkFilters({{"foo", {"x"}}}).error().message(), "invalid filter 'foo'");
  EXPECT_EQ(checkNetworkFilters({{"type", {"x"}}}).error().message(), "invalid filter: 'type'='x'");
  EXPECT_EQ(checkNetworkFilters({{"dangling", {"x"}}}).error().message(),
            R"(invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0"))");
  EXPECT_TRUE(checkNetworkFilters({{"dangling", {"1"}}, {"label", {"a=b"}}}));
}

}  // namespace
}  // namespace flotilla::engine
