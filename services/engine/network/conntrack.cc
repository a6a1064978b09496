#include "engine/network/conntrack.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <set>
#include <string>

#include "engine/network/netlink.h"

namespace flotilla::engine {
namespace {

constexpr std::uint16_t messageType(int command) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | command);
}

constexpr nfgenmsg kIpv4{AF_INET, NFNETLINK_V0, 0};

unsigned kindOf(const rtattr& attribute) { return attribute.rta_type & NLA_TYPE_MASK; }

/// The port a flow was sent to, 0 unless it is UDP.
std::uint16_t udpPort(const rtattr& tuple) {
  std::uint16_t port = 0;
  bool udp = false;
  forEachAttribute(tuple, [&](const rtattr& part) {
    if (kindOf(part) != CTA_TUPLE_PROTO) {
      return;
    }
    forEachAttribute(part, [&](const rtattr& field) {
      if (kindOf(field) == CTA_PROTO_NUM) {
        udp = *attributePayload<std::uint8_t>(field) == IPPROTO_UDP;
      } else if (kindOf(field) == CTA_PROTO_DST_PORT) {
        std::memcpy(&port, attributePayload<char>(field), sizeof port);
      }
    });
  });
  return udp ? ntohs(port) : std::uint16_t{0};
}

}  // namespace

Result<void> forgetUdpFlows(const std::vector<PublishedPort>& ports) {
  std::set<std::uint16_t> wanted;
  for (const auto& port : ports) {
    if (port.binding.protocol == "udp" && !isIpv6(port.binding.host_ip)) {
      wanted.insert(port.binding.host_port);
    }
  }
  if (wanted.empty()) {
    return {};
  }
  FLO_TRY_ASSIGN(auto socket, NetlinkSocket::open(NETLINK_NETFILTER));
  std::vector<std::string> tuples;  // a flow is named by the direction it began in
  NetlinkBatch list;
  list.message(messageType(IPCTNL_MSG_CT_GET), NLM_F_DUMP, kIpv4);
  FLO_TRY(socket.dump(list, "list connections", [&](const nlmsghdr& message) {
    forEachAttribute<nfgenmsg>(message, [&](const rtattr& attribute) {
      if (kindOf(attribute) == CTA_TUPLE_ORIG && wanted.contains(udpPort(attribute))) {
        tuples.emplace_back(attributePayload<char>(attribute), attribute.rta_len - RTA_LENGTH(0));
      }
    });
  }));
  for (const auto& tuple : tuples) {
    NetlinkBatch forget;
    forget.message(messageType(IPCTNL_MSG_CT_DELETE), 0, kIpv4)
        .attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple.data(), tuple.size());
    if (auto done = socket.run(forget, "forget a flow");
        !done && done.error().sysErrno() != ENOENT) {
      return done;
    }
  }
  return {};
}

}  // namespace flotilla::engine
