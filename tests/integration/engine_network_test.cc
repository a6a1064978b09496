#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>

#include "engine/network/network_manager.h"
#include "tests/integration/network_world.h"

namespace flotilla::engine {
namespace {

using Clock = std::chrono::steady_clock;

PortRequest tcp(std::uint16_t container, std::uint16_t host, std::string host_ip = {}) {
  return {"tcp", container, std::move(host_ip), host, host};
}

class EngineNetwork : public NetworkWorld {};

TEST_F(EngineNetwork, PublishedPortIsReachedFromEverywhere) {
  const auto manager = makeManager();
  const auto server = attach(*manager, "server", {tcp(80, 8080)});
  const auto other = attach(*manager, "other");
  const EchoServer echo(server.netns.get(), "0.0.0.0", 80, "hello");
  EXPECT_EQ(server.endpoint.ipv4_address, "172.17.0.2");

  EXPECT_EQ(fetch(host(), "172.17.0.2", 80), "hello 172.17.0.1") << "host, container's address";
  EXPECT_EQ(fetch(host(), "127.0.0.1", 8080), "hello 172.17.0.1") << "host, loopback";
  EXPECT_EQ(fetch(host(), "192.0.2.2", 8080), "hello 192.0.2.2") << "host, own address";
  EXPECT_EQ(fetch(outside(), "192.0.2.2", 8080), "hello 192.0.2.1") << "another host";
  EXPECT_EQ(fetch(other.netns.get(), "172.17.0.2", 80), "hello 172.17.0.3")
      << "container to container";
  EXPECT_EQ(fetch(other.netns.get(), "192.0.2.2", 8080), "hello 172.17.0.1")
      << "container through the host";
  EXPECT_EQ(fetch(server.netns.get(), "192.0.2.2", 8080), "hello 172.17.0.1")
      << "itself through the host";
}

TEST_F(EngineNetwork, ContainerReachesOutsideUnderTheHostsAddress) {
  const auto manager = makeManager();
  const auto container = attach(*manager, "c");
  const EchoServer echo(outside(), "192.0.2.1", 7000, "outside");
  EXPECT_EQ(fetch(container.netns.get(), "192.0.2.1", 7000), "outside 192.0.2.2");
}

TEST_F(EngineNetwork, AttachAndReleaseAreFast) {
  const auto manager = makeManager();
  std::vector<double> attached, released;
  for (int i = 0; i < 60; ++i) {
    auto start = Clock::now();
    const auto container = attach(*manager, "c", {tcp(80, 8080)});
    attached.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    start = Clock::now();
    ASSERT_TRUE(manager->release("c"));
    released.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  std::sort(attached.begin(), attached.end());
  std::sort(released.begin(), released.end());
  std::printf("attach ms p50 %.2f p90 %.2f, release p50 %.2f p90 %.2f\n", attached[30],
              attached[54], released[30], released[54]);
}

}  // namespace
}  // namespace flotilla::engine
