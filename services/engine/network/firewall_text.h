#pragma once

#include <string>
#include <vector>

#include "engine/network/ipv4.h"
#include "engine/network/published_port.h"

namespace flotilla::engine {

/// What the rules of one daemon are about.
struct FirewallSpec {
  std::string table;  // name of the inet table
  std::string bridge;
  Ipv4Prefix gateway;  // the bridge's address in its subnet
};

/// Commands that replace the whole table by the fixed chains and these elements, in one
/// transaction.
std::string tableText(const FirewallSpec& spec, const std::vector<PublishedPort>& ports);
/// Commands that add the ports' elements; adding one that is there is no error. "" when there are
/// none (IPv6 bindings have none: no packet is translated for them).
std::string publishText(const FirewallSpec& spec, const std::vector<PublishedPort>& ports);
/// Commands that remove the ports' elements, present or not.
std::string withdrawText(const FirewallSpec& spec, const std::vector<PublishedPort>& ports);

}  // namespace flotilla::engine
