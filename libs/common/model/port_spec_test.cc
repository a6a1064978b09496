#include "common/model/port_spec.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

TEST(PortSpec, ParsesPortAndProtocol) {
  EXPECT_EQ(PortSpec::parse("80")->text(), "80/tcp");
  EXPECT_EQ(PortSpec::parse("53/UDP")->text(), "53/udp");
  for (const char* bad : {"", "x", "99999", "-1", "80-90", "80/foo", "8 0"}) {
    EXPECT_FALSE(PortSpec::parse(bad)) << bad;
  }
}

TEST(CollectPublishedPorts, JoinsBindingsAndExposedPorts) {
  ContainerConfig config;
  HostConfig host;
  config.exposed_ports = {"80/tcp", "90-91/udp"};
  host.publish_all_ports = true;
  host.port_bindings["80/tcp"] = {{"127.0.0.1", "8000-8010"}, {"", ""}};
  const auto ports = collectPublishedPorts(config, host).value();
  ASSERT_EQ(ports.size(), 4U);
  EXPECT_EQ(ports[0].host.last, 8010);
  EXPECT_EQ(ports[0].host_ip, "127.0.0.1");
  EXPECT_EQ(ports[1].host.first, 0);
  EXPECT_EQ(ports[3].container.text(), "91/udp");
}

}  // namespace
}  // namespace flotilla::model
