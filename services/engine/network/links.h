#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/network/ipv4.h"
#include "engine/network/netlink.h"

namespace flotilla::engine {

/// Subnets that the socket's namespace has a route or an address in; loopback left out.
Result<std::vector<Ipv4Prefix>> subnetsInUse(NetlinkSocket& socket);

/// Errors: sysError, ENODEV when there is no link of that name.
Result<int> linkIndex(const NetlinkSocket& socket, const std::string& name);

/// Makes the bridge or brings the one of that name to exactly this address, up. Its MAC follows the
/// address, not its ports: the kernel's default changes when a port goes and stales every ARP
/// entry. Errors: Conflict when a link of that name is no bridge.
Result<void> ensureBridge(NetlinkSocket& socket, const std::string& name, const Ipv4Prefix& address,
                          int mtu);

struct VethPair {
  std::string host_name;
  std::string bridge;  // the host's end becomes a port of it, up, without IPv6 addresses
  std::string inside_name;
  int netns = -1;  // where the other end goes, down
  int mtu = 1500;
};
Result<void> addVethPair(NetlinkSocket& host, const VethPair& pair);

struct InsideLink {
  int index = 0;
  std::vector<std::uint8_t> mac;
  Ipv4Prefix address;
  Ipv4 gateway;
};
/// MAC, address, up, default route, in one system call.
Result<void> configureInside(NetlinkSocket& inside, const InsideLink& link);

Result<void> raiseLoopback(NetlinkSocket& inside);

}  // namespace flotilla::engine
