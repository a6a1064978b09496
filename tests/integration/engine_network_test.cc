#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

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

constexpr auto kShort = std::chrono::milliseconds(400);

/// Endpoint IDs as "ID".
std::string maskIds(std::string text) {
  for (auto at = text.find('('); at != std::string::npos; at = text.find('(', at + 1)) {
    if (text.size() > at + 65 && text[at + 65] == ')') {
      text.replace(at + 1, 64, "ID");
    }
  }
  return text;
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

TEST_F(EngineNetwork, LoopbackPortIsForThisHostOnly) {
  const auto manager = makeManager();
  const auto server = attach(*manager, "server", {tcp(80, 8080, "127.0.0.1")});
  const EchoServer echo(server.netns.get(), "0.0.0.0", 80, "hello");
  EXPECT_EQ(fetch(host(), "127.0.0.1", 8080), "hello 172.17.0.1");
  EXPECT_EQ(fetch(host(), "192.0.2.2", 8080), "error: Connection refused");
  EXPECT_EQ(fetch(outside(), "192.0.2.2", 8080), "error: Connection refused");
  // The other host sends packets for 127.0.0.1 over the link.
  runIn(outside(),
        "ip addr del 127.0.0.1/8 dev lo && ip route add 127.0.0.1/32 via 192.0.2.2 src 192.0.2.1"
        " && echo 1 > /proc/sys/net/ipv4/conf/out0/route_localnet");
  runIn(host(),
        "echo 1 > /proc/sys/net/ipv4/conf/up0/route_localnet");  // even where it is allowed in
  EXPECT_EQ(fetch(outside(), "127.0.0.1", 8080, kShort), "error: timeout");
}

TEST_F(EngineNetwork, OutsideCannotAddressAContainer) {
  const auto manager = makeManager();
  const auto server = attach(*manager, "server", {tcp(80, 8080)});
  const EchoServer echo(server.netns.get(), "0.0.0.0", 80, "hello");
  runIn(outside(), "ip route add 172.17.0.0/16 via 192.0.2.2");
  EXPECT_EQ(fetch(outside(), "172.17.0.2", 80, kShort), "error: timeout");
  EXPECT_EQ(fetch(outside(), "192.0.2.2", 8080), "hello 192.0.2.1")
      << "the published way stays open";
}

/// Sends one UDP packet for 127.0.0.1:9999 from the container straight to the bridge's MAC.
void attackLoopback(int netns, const std::string& gateway_mac) {
  inNamespace(netns, [&] {
    std::vector<unsigned char> frame;
    for (const auto& mac : {gateway_mac, std::string("02:42:ac:11:00:02")}) {
      for (std::size_t at = 0; at < mac.size(); at += 3) {
        frame.push_back(static_cast<unsigned char>(std::stoi(mac.substr(at, 2), nullptr, 16)));
      }
    }
    const std::vector<unsigned char> packet{
        8, 0, 0x45, 0, 0, 29, 0,    1,    0,         0,          64, 17, 0, 0, 172, 17,
        0, 2, 127,  0, 0, 1,  0x12, 0x34, 9999 >> 8, 9999 & 255, 0,  9,  0, 0, 'x'};
    frame.insert(frame.end(), packet.begin(), packet.end());
    unsigned sum = 0;
    for (std::size_t i = 14; i < 34; i += 2) {
      sum += static_cast<unsigned>(frame[i] << 8U | frame[i + 1]);
    }
    sum = ~((sum & 0xffffU) + (sum >> 16U));
    frame[24] = static_cast<unsigned char>(sum >> 8U);
    frame[25] = static_cast<unsigned char>(sum);
    const UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
    ASSERT_EQ(::sendto(fd.get(), frame.data(), frame.size(), 0,
                       reinterpret_cast<sockaddr*>(&address), sizeof address),
              static_cast<ssize_t>(frame.size()));
  });
}

TEST_F(EngineNetwork, ContainerCannotReachTheHostsLoopback) {
  const auto manager = makeManager();
  const auto container = attach(*manager, "c");
  const UniqueFd service(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9999);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(service.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  pollfd arrived{service.get(), POLLIN, 0};
  attackLoopback(container.netns.get(), "02:42:ac:11:00:01");
  EXPECT_EQ(::poll(&arrived, 1, 300), 0)
      << "the guard let a container's packet through to 127.0.0.1";
  // The same packet arrives without the guard, or this test would prove nothing.
  runIn(host(), "nft flush chain inet flotilla guard");
  attackLoopback(container.netns.get(), "02:42:ac:11:00:01");
  EXPECT_EQ(::poll(&arrived, 1, 2000), 1);
}

TEST_F(EngineNetwork, TakenPortsAreNamedInDockersWords) {
  const auto manager = makeManager();
  const auto first = attach(*manager, "first", {tcp(80, 8080)});
  const auto refusal = [&](std::vector<PortRequest> ports) {
    const auto refused =
        manager->attach({.container_id = "second", .ports = std::move(ports)}, "second");
    return refused ? std::string("attached") : maskIds(refused.error().message());
  };
  const std::string prefix =
      "failed to set up container networking: driver failed programming external connectivity on "
      "endpoint second (ID): ";
  EXPECT_EQ(refusal({tcp(80, 8080)}),
            prefix + "Bind for 0.0.0.0:8080 failed: port is already allocated");
  EXPECT_EQ(refusal({tcp(80, 8080, "127.0.0.1")}),
            prefix + "Bind for 0.0.0.0:8080 failed: port is already allocated");
  EXPECT_EQ(refusal({tcp(80, 9000), tcp(81, 9000)}),
            prefix + "Bind for 0.0.0.0:9000 failed: port is already allocated");
  EXPECT_EQ(refusal({tcp(80, 9000, "1.2.3.4")}),
            prefix +
                "failed to bind host port for 1.2.3.4:9000:172.17.0.3:80/tcp: cannot assign "
                "requested address");
  const EchoServer stranger(host(), "0.0.0.0", 9001, "mine");
  EXPECT_EQ(
      refusal({tcp(80, 9001)}),
      prefix +
          "failed to bind host port for 0.0.0.0:9001:172.17.0.3:80/tcp: address already in use");
  // Nothing of the failures is left: neither ports nor addresses.
  const auto third = attach(*manager, "third", {tcp(80, 9000)});
  EXPECT_EQ(third.endpoint.ipv4_address, "172.17.0.3");
}

TEST_F(EngineNetwork, FreePortsComeFromRangesInTurn) {
  const auto manager = makeManager();
  const auto first =
      attach(*manager, "first", {{"tcp", 80, "", 0, 0}, {"udp", 53, "127.0.0.1", 9000, 9002}});
  ASSERT_EQ(first.endpoint.ports.size(), 3U);
  EXPECT_EQ(first.endpoint.ports[0].host_ip, "0.0.0.0");
  EXPECT_EQ(first.endpoint.ports[1].host_ip, "::");
  EXPECT_EQ(first.endpoint.ports[0].host_port, first.endpoint.ports[1].host_port);
  EXPECT_EQ(first.endpoint.ports[2], (PortBinding{"udp", 53, "127.0.0.1", 9000}));
  EXPECT_EQ(first.port_holders.size(), 3U);
  const auto second =
      attach(*manager, "second", {{"tcp", 80, "", 0, 0}, {"udp", 53, "127.0.0.1", 9000, 9002}});
  EXPECT_GT(second.endpoint.ports[0].host_port, first.endpoint.ports[0].host_port);
  EXPECT_EQ(second.endpoint.ports[2].host_port, 9001);
}

TEST_F(EngineNetwork, ReleaseIsIdempotentAndLeavesNothing) {
  const auto manager = makeManager({.warm_namespaces = 0});
  {
    auto container = attach(*manager, "c", {tcp(80, 8080), tcp(81, 8081, "127.0.0.1")});
    EXPECT_NE(runIn(host(), "nft list map inet flotilla ports_any").find("8080"),
              std::string::npos);
    container = {};
    EXPECT_TRUE(manager->release("c"));
    EXPECT_TRUE(manager->release("c"));
  }
  EXPECT_EQ(runIn(host(), "nft list map inet flotilla ports_any").find("elements"),
            std::string::npos);
  EXPECT_EQ(runIn(host(), "nft list map inet flotilla ports").find("elements"), std::string::npos);
  EXPECT_EQ(attach(*manager, "d", {tcp(80, 8080)}).endpoint.ipv4_address, "172.17.0.2");
  ASSERT_TRUE(manager->release("d"));
  const auto deadline = Clock::now() + std::chrono::seconds(10);
  while (runIn(host(), "ip -br link show master flotilla0").find("veth") != std::string::npos) {
    ASSERT_LT(Clock::now(), deadline) << "the kernel kept a veth of a namespace that nobody holds";
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST_F(EngineNetwork, FlushedRulesComeBack) {
  const auto manager = makeManager();
  const auto first = attach(*manager, "first", {tcp(80, 8080)});
  const EchoServer echo(first.netns.get(), "0.0.0.0", 80, "first");
  runIn(host(), "nft flush ruleset");
  EXPECT_EQ(fetch(host(), "192.0.2.2", 8080), "error: Connection refused");
  const auto second =
      attach(*manager, "second", {tcp(80, 8081)});  // a start repairs them by itself
  EXPECT_EQ(fetch(host(), "192.0.2.2", 8080), "first 192.0.2.2");
  runIn(host(), "nft flush ruleset");
  ASSERT_TRUE(manager->reconcile({{"first", first.endpoint}, {"second", second.endpoint}}));
  EXPECT_EQ(fetch(outside(), "192.0.2.2", 8080), "first 192.0.2.1");
}

TEST_F(EngineNetwork, ASecondDaemonTakesOverWhatRuns) {
  auto manager = makeManager();
  const auto kept = attach(*manager, "kept", {tcp(80, 8080)});
  const auto lost = attach(*manager, "lost", {tcp(80, 8081)});
  const EchoServer echo(kept.netns.get(), "0.0.0.0", 80, "kept");
  manager.reset();  // and "lost" never came to run
  manager = NetworkManager::create(database(), {}).value();
  ASSERT_TRUE(manager->reconcile({{"kept", kept.endpoint}}));
  EXPECT_EQ(fetch(host(), "127.0.0.1", 8080), "kept 172.17.0.1");
  EXPECT_EQ(runIn(host(), "nft list map inet flotilla ports_any").find("8081"), std::string::npos);
  EXPECT_EQ(attach(*manager, "new").endpoint.ipv4_address, "172.17.0.3") << "the lost one's";
}

TEST_F(EngineNetwork, ManyAttachAtOnce) {
  constexpr int kMany = 32;
  const auto manager = makeManager();
  std::vector<Attachment> attachments(kMany);
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (int i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] {
      attachments[static_cast<std::size_t>(i)] =
          attach(*manager, "c" + std::to_string(i), {{"tcp", 80, "", 0, 0}});
    });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  std::printf("%d attaches at once: %.1f ms\n", kMany,
              std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  std::set<std::string> addresses;
  std::set<int> ports;
  for (const auto& attachment : attachments) {
    addresses.insert(attachment.endpoint.ipv4_address);
    ports.insert(attachment.endpoint.ports.at(0).host_port);
  }
  EXPECT_EQ(addresses.size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(ports.size(), static_cast<std::size_t>(kMany));
  const EchoServer echo(attachments[7].netns.get(), "0.0.0.0", 80, "seven");
  EXPECT_EQ(fetch(attachments[30].netns.get(), attachments[7].endpoint.ipv4_address, 80),
            "seven " + attachments[30].endpoint.ipv4_address);
}

TEST_F(EngineNetwork, OtherNetworksAndUnknownOnes) {
  const auto manager = makeManager();
  const auto none = manager->attach({.container_id = "n", .network = "none"}, "n").value();
  EXPECT_NE(runIn(none.netns.get(), "ip -br link").find("lo "), std::string::npos);
  const auto shared = manager->attach({.container_id = "h", .network = "host"}, "h").value();
  EXPECT_FALSE(shared.netns.valid());
  EXPECT_EQ(shared.endpoint.network_id, manager->find("host")->id);
  EXPECT_EQ(manager->attach({.container_id = "x", .network = "nope"}, "x").error().message(),
            "network nope not found");
  EXPECT_EQ(manager->find(manager->find("bridge")->id.substr(0, 10))->name, "bridge");
}

TEST_F(EngineNetwork, ChoosesASubnetAroundTheHostsRoutes) {
  runIn(host(), "ip route add 172.17.0.0/16 via 192.0.2.1 && ip addr add 172.18.5.1/24 dev up0");
  const auto manager = makeManager();
  EXPECT_EQ(attach(*manager, "c").endpoint.ipv4_address, "172.19.0.2");
}

TEST_F(EngineNetwork, NamesAChainThatDropsForwardedPackets) {
  const auto manager = makeManager();
  EXPECT_TRUE(manager->warnings().empty());
  runIn(host(),
        "nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority "
        "0; policy drop; }'");
  const auto warnings = manager->warnings();
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("chain ip filter FORWARD drops forwarded packets"), std::string::npos)
      << warnings[0];
}

UniqueFd udpSocket(int netns, const char* address, std::uint16_t port, bool listens) {
  UniqueFd fd;
  inNamespace(netns, [&] {
    fd.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    ASSERT_EQ(::inet_pton(AF_INET, address, &at.sin_addr), 1);
    ASSERT_EQ((listens ? ::bind : ::connect)(fd.get(), reinterpret_cast<sockaddr*>(&at), sizeof at),
              0);
  });
  return fd;
}

TEST_F(EngineNetwork, UdpClientThatAskedTooEarlyIsServedOncePublished) {
  const auto manager = makeManager();
  const auto client = udpSocket(outside(), "192.0.2.2", 5353, false);
  const auto ask = [&] { return ::send(client.get(), "x", 1, 0); };
  auto early = udpSocket(host(), "192.0.2.2", 5353, true);
  ASSERT_EQ(ask(), 1);
  pollfd at_host{early.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&at_host, 1, 2000), 1) << "the flow to the host exists";
  early.reset();
  const auto server = attach(*manager, "dns", {{"udp", 53, "", 5353, 5353}});
  const auto service = udpSocket(server.netns.get(), "0.0.0.0", 53, true);
  ask();  // may report the ICMP error of a packet in between
  ask();
  pollfd at_container{service.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&at_container, 1, 2000), 1);
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
