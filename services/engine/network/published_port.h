#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "engine/network/ipv4.h"
#include "engine/network/network_manager.h"

namespace flotilla::engine {

/// A binding and the container's address behind it.
struct PublishedPort {
  PortBinding binding;
  Ipv4 container;

  friend bool operator==(const PublishedPort&, const PublishedPort&) = default;
};

/// The bindings of one container as a record: "tcp 0.0.0.0 8080 80;tcp :: 8080 80".
std::string encodeBindings(const std::vector<PortBinding>& bindings);
/// Inverse; entries that cannot be read are left out.
std::vector<PortBinding> decodeBindings(std::string_view text);

/// True when both cannot be held at once: same protocol and host port, and one address covers the
/// other.
bool bindingsOverlap(const PortBinding& a, const PortBinding& b);

/// True for "::" and every other IPv6 literal.
bool isIpv6(std::string_view host_ip);

}  // namespace flotilla::engine
