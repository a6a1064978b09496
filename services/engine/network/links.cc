#include "engine/network/links.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace flotilla::engine {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
/// As many as a veth uses when nothing is said; but then it is made with one for each CPU, and
/// taking the others away makes the kernel wait for every CPU, once for each end.
constexpr std::uint32_t kQueues = 1;

ifinfomsg linkHeader(int index, unsigned flags = 0) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = flags;
  header.ifi_change = flags;
  return header;
}

void addAddressMessage(NetlinkBatch& batch, int index, const Ipv4Prefix& address) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = static_cast<std::uint8_t>(address.length);
  header.ifa_index = static_cast<std::uint32_t>(index);
  batch.message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header)
      .integer(IFA_LOCAL, htonl(address.address.value))
      .integer(IFA_ADDRESS, htonl(address.address.value))
      .integer(IFA_BROADCAST, htonl(address.broadcast().value));
}

Ipv4 addressOf(const rtattr& attribute) {
  std::uint32_t value = 0;
  std::memcpy(&value, attributePayload<char>(attribute), sizeof value);
  return Ipv4{ntohl(value)};
}

struct LinkAddress {
  int index = 0;
  Ipv4Prefix address;
};

Result<std::vector<LinkAddress>> addresses(NetlinkSocket& socket) {
  ifaddrmsg request{};
  request.ifa_family = AF_INET;
  NetlinkBatch batch;
  batch.message(RTM_GETADDR, NLM_F_DUMP, request);
  std::vector<LinkAddress> found;
  FLO_TRY(socket.dump(batch, "list addresses", [&](const nlmsghdr& message) {
    const auto& header = *netlinkPayload<ifaddrmsg>(message);
    forEachAttribute<ifaddrmsg>(message, [&](const rtattr& attribute) {
      if (attribute.rta_type == IFA_LOCAL) {
        found.push_back(
            {static_cast<int>(header.ifa_index), {addressOf(attribute), header.ifa_prefixlen}});
      }
    });
  }));
  return found;
}

Result<bool> isBridge(NetlinkSocket& socket, int index) {
  NetlinkBatch batch;
  batch.message(RTM_GETLINK, NLM_F_DUMP, linkHeader(0));
  bool bridge = false;
  FLO_TRY(socket.dump(batch, "list links", [&](const nlmsghdr& message) {
    if (netlinkPayload<ifinfomsg>(message)->ifi_index != index) {
      return;
    }
    forEachAttribute<ifinfomsg>(message, [&](const rtattr& attribute) {
      if ((attribute.rta_type & NLA_TYPE_MASK) != IFLA_LINKINFO) {
        return;
      }
      forEachAttribute(attribute, [&](const rtattr& inner) {
        bridge |= inner.rta_type == IFLA_INFO_KIND &&
                  std::strcmp(attributePayload<char>(inner), "bridge") == 0;
      });
    });
  }));
  return bridge;
}

Result<void> createBridge(NetlinkSocket& socket, const std::string& name, Ipv4 address) {
  NetlinkBatch batch;
  batch.message(RTM_NEWLINK, kCreate, linkHeader(0)).attribute(IFLA_IFNAME, name);
  const auto mac = parseMac(macFor(address)).value();
  batch.attribute(IFLA_ADDRESS, mac.data(), mac.size());
  {
    const NetlinkBatch::Nest info(batch, IFLA_LINKINFO);
    batch.attribute(IFLA_INFO_KIND, "bridge");
  }
  return socket.run(batch, "make bridge " + name);
}

}  // namespace

Result<std::vector<Ipv4Prefix>> subnetsInUse(NetlinkSocket& socket) {
  std::vector<Ipv4Prefix> found;
  FLO_TRY_ASSIGN(const auto links, addresses(socket));
  for (const auto& link : links) {
    if (link.address.address.value >> 24U != 127U) {
      found.push_back(link.address.network());
    }
  }
  rtmsg request{};
  request.rtm_family = AF_INET;
  NetlinkBatch batch;
  batch.message(RTM_GETROUTE, NLM_F_DUMP, request);
  FLO_TRY(socket.dump(batch, "list routes", [&](const nlmsghdr& message) {
    const auto& header = *netlinkPayload<rtmsg>(message);
    if (header.rtm_table != RT_TABLE_MAIN || header.rtm_family != AF_INET) {
      return;
    }
    forEachAttribute<rtmsg>(message, [&](const rtattr& attribute) {
      if (attribute.rta_type == RTA_DST) {
        found.push_back({addressOf(attribute), header.rtm_dst_len});
      }
    });
  }));
  return found;
}

Result<int> linkIndex(const NetlinkSocket& socket, const std::string& name) {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) {
    return Error{ErrorKind::InvalidArgument, "link name too long: " + name};
  }
  std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
  if (::ioctl(socket.fd(), SIOCGIFINDEX, &request) != 0) {
    return sysError("find link " + name, errno);
  }
  return request.ifr_ifindex;
}

Result<void> ensureBridge(NetlinkSocket& socket, const std::string& name, const Ipv4Prefix& address,
                          int mtu) {
  auto index = linkIndex(socket, name);
  if (!index) {
    FLO_TRY(createBridge(socket, name, address.address));
    index = linkIndex(socket, name);
    FLO_TRY(index);
  }
  FLO_TRY_ASSIGN(const bool bridge, isBridge(socket, *index));
  if (!bridge) {
    return Error{ErrorKind::Conflict, "link " + name + " exists and is no bridge"};
  }
  NetlinkBatch batch;
  FLO_TRY_ASSIGN(const auto present, addresses(socket));
  for (const auto& other : present) {
    if (other.index == *index && other.address != address) {
      ifaddrmsg header{};
      header.ifa_family = AF_INET;
      header.ifa_prefixlen = static_cast<std::uint8_t>(other.address.length);
      header.ifa_index = static_cast<std::uint32_t>(*index);
      batch.message(RTM_DELADDR, 0, header).integer(IFA_LOCAL, htonl(other.address.address.value));
    }
  }
  addAddressMessage(batch, *index, address);
  const auto mac = parseMac(macFor(address.address)).value();
  batch.message(RTM_NEWLINK, 0, linkHeader(*index))
      .integer(IFLA_MTU, static_cast<std::uint32_t>(mtu))
      .attribute(IFLA_ADDRESS, mac.data(), mac.size());
  batch.message(RTM_NEWLINK, 0, linkHeader(*index, IFF_UP));
  return socket.run(batch, "set up bridge " + name);
}

Result<void> addVethPair(NetlinkSocket& host, const VethPair& pair) {
  FLO_TRY_ASSIGN(const int bridge, linkIndex(host, pair.bridge));
  const auto mtu = static_cast<std::uint32_t>(pair.mtu);
  NetlinkBatch batch;
  batch.message(RTM_NEWLINK, kCreate, linkHeader(0))
      .attribute(IFLA_IFNAME, pair.host_name)
      .integer(IFLA_MTU, mtu)
      .integer(IFLA_NUM_TX_QUEUES, kQueues)
      .integer(IFLA_NUM_RX_QUEUES, kQueues);
  {
    const NetlinkBatch::Nest info(batch, IFLA_LINKINFO);
    batch.attribute(IFLA_INFO_KIND, "veth");
    const NetlinkBatch::Nest data(batch, IFLA_INFO_DATA);
    const NetlinkBatch::Nest peer(batch, VETH_INFO_PEER);
    const auto header = linkHeader(0);
    batch.raw(&header, sizeof header)
        .attribute(IFLA_IFNAME, pair.inside_name)
        .integer(IFLA_MTU, mtu)
        .integer(IFLA_NUM_TX_QUEUES, kQueues)
        .integer(IFLA_NUM_RX_QUEUES, kQueues)
        .integer(IFLA_NET_NS_FD, pair.netns);
  }
  batch.message(RTM_NEWLINK, 0, linkHeader(0))
      .attribute(IFLA_IFNAME, pair.host_name)
      .integer(IFLA_MASTER, bridge);
  {
    const NetlinkBatch::Nest families(batch, IFLA_AF_SPEC);
    const NetlinkBatch::Nest inet6(batch, AF_INET6);
    batch.integer(IFLA_INET6_ADDR_GEN_MODE, static_cast<std::uint8_t>(IN6_ADDR_GEN_MODE_NONE));
  }
  // A container that reaches its own published port through the host: where bridge-nf-call-iptables
  // is on, the translated packet leaves by the port it came in.
  batch.message(RTM_NEWLINK, 0, linkHeader(0)).attribute(IFLA_IFNAME, pair.host_name);
  {
    const NetlinkBatch::Nest info(batch, IFLA_LINKINFO);
    batch.attribute(IFLA_INFO_SLAVE_KIND, "bridge");
    const NetlinkBatch::Nest data(batch, IFLA_INFO_SLAVE_DATA);
    batch.integer(IFLA_BRPORT_MODE, std::uint8_t{1});
  }
  // Up in a message of its own: within one, the kernel raises the link before the address mode.
  batch.message(RTM_NEWLINK, 0, linkHeader(0, IFF_UP)).attribute(IFLA_IFNAME, pair.host_name);
  return host.run(batch, "make veth " + pair.host_name);
}

Result<void> configureInside(NetlinkSocket& inside, const InsideLink& link) {
  NetlinkBatch batch;
  batch.message(RTM_NEWLINK, 0, linkHeader(link.index, IFF_UP))
      .attribute(IFLA_ADDRESS, link.mac.data(), link.mac.size());
  addAddressMessage(batch, link.index, link.address);
  rtmsg route{};
  route.rtm_family = AF_INET;
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_scope = RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  batch.message(RTM_NEWROUTE, kCreate, route)
      .integer(RTA_GATEWAY, htonl(link.gateway.value))
      .integer(RTA_OIF, link.index);
  return inside.run(batch, "configure the container's link");
}

Result<void> raiseLoopback(NetlinkSocket& inside) {
  NetlinkBatch batch;
  batch.message(RTM_NEWLINK, 0, linkHeader(1, IFF_UP));  // every namespace's first link is lo
  return inside.run(batch, "raise loopback");
}

}  // namespace flotilla::engine
