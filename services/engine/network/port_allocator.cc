#include "engine/network/port_allocator.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "common/os/atomic_file.h"
#include "engine/network/published_port.h"

namespace flotilla::engine {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

bool makeAddress(const std::string& host_ip, std::uint16_t port, Address& address) {
  if (isIpv6(host_ip)) {
    auto* inet6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
    inet6->sin6_family = AF_INET6;
    inet6->sin6_port = htons(port);
    address.size = sizeof *inet6;
    return ::inet_pton(AF_INET6, host_ip.c_str(), &inet6->sin6_addr) == 1;
  }
  auto* inet = reinterpret_cast<sockaddr_in*>(&address.storage);
  inet->sin_family = AF_INET;
  inet->sin_port = htons(port);
  address.size = sizeof *inet;
  return ::inet_pton(AF_INET, host_ip.c_str(), &inet->sin_addr) == 1;
}

UniqueFd openSocket(int family, const std::string& protocol) {
  if (protocol == "udp") {
    return UniqueFd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  }
  return UniqueFd(
      ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol == "sctp" ? IPPROTO_SCTP : 0));
}

/// 0, or the errno. No SO_REUSEADDR: two sockets that both have it may share a port until one
/// listens.
int hold(const PortBinding& binding, std::vector<UniqueFd>& holders) {
  Address address;
  if (!makeAddress(binding.host_ip, binding.host_port, address)) {
    return EINVAL;
  }
  auto fd = openSocket(address.storage.ss_family, binding.protocol);
  if (!fd) {
    // Without SCTP sockets no process of the host can take the port either.
    return binding.protocol == "sctp" && errno == EPROTONOSUPPORT ? 0 : errno;
  }
  const int one = 1;
  if (address.storage.ss_family == AF_INET6 &&
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) != 0) {
    return errno;
  }
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address.storage), address.size) != 0) {
    return errno;
  }
  holders.push_back(std::move(fd));
  return 0;
}

bool hostHasIpv6() {
  const auto disabled = readFile("/proc/sys/net/ipv6/conf/all/disable_ipv6", 16);
  return disabled && disabled->starts_with('0');
}

std::vector<std::string> hostAddresses(const PortRequest& request) {
  if (!request.host_ip.empty()) {
    return {request.host_ip};
  }
  return hostHasIpv6() ? std::vector<std::string>{"0.0.0.0", "::"}
                       : std::vector<std::string>{"0.0.0.0"};
}

/// Takes one port number on every address, or reports the first that refuses.
bool holdEverywhere(const PortRequest& request, std::uint16_t port, HeldPorts& held,
                    PortFailure& failure) {
  HeldPorts taken;
  for (const auto& host_ip : hostAddresses(request)) {
    PortBinding binding{request.protocol, request.container_port, host_ip, port};
    const auto twice =
        std::find_if(held.bindings.begin(), held.bindings.end(),
                     [&](const PortBinding& other) { return bindingsOverlap(binding, other); });
    if (twice != held.bindings.end()) {
      failure = {std::move(binding), EADDRINUSE, *twice};
      return false;
    }
    if (const int error = hold(binding, taken.holders); error != 0) {
      failure = {std::move(binding), error, std::nullopt};
      return false;
    }
    taken.bindings.push_back(std::move(binding));
  }
  std::move(taken.bindings.begin(), taken.bindings.end(), std::back_inserter(held.bindings));
  std::move(taken.holders.begin(), taken.holders.end(), std::back_inserter(held.holders));
  return true;
}

}  // namespace

PortAllocator::Range PortAllocator::ephemeralRange() {
  Range range;
  const auto text = readFile("/proc/sys/net/ipv4/ip_local_port_range", 64);
  unsigned first = 0;
  unsigned last = 0;
  if (text && std::sscanf(text->c_str(), "%u %u", &first, &last) == 2 && first > 0 &&
      first <= last && last <= 65535) {
    range = {static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last)};
  }
  return range;
}

std::uint16_t PortAllocator::nextEphemeral() {
  const MutexLock lock(mutex_);
  const std::uint16_t port = next_;
  next_ = port >= ephemeral_.last ? ephemeral_.first : static_cast<std::uint16_t>(port + 1);
  return port;
}

tl::expected<HeldPorts, PortFailure> PortAllocator::allocate(
    const std::vector<PortRequest>& requests) {
  HeldPorts held;
  for (const auto& request : requests) {
    const bool ephemeral = request.host_port_first == 0;
    const unsigned first = ephemeral ? ephemeral_.first : request.host_port_first;
    const unsigned last =
        ephemeral ? ephemeral_.last : std::max(request.host_port_first, request.host_port_last);
    PortFailure failure;
    bool done = false;
    for (unsigned port = first; port <= last && !done; ++port) {
      done = holdEverywhere(request, ephemeral ? nextEphemeral() : static_cast<std::uint16_t>(port),
                            held, failure);
      if (!done && failure.error != EADDRINUSE) {
        break;
      }
    }
    if (!done) {
      return tl::make_unexpected(std::move(failure));
    }
  }
  return held;
}

}  // namespace flotilla::engine
