#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/network/ipv4.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// A network as stored.
struct NetworkRecord {
  std::string id;      // 64 hex digits
  std::string name;    // bridge, host, none
  std::string driver;  // bridge, host, null
  std::int64_t created_ns = 0;
  std::optional<Ipv4Prefix> gateway;  // of a bridge: the address of its link, in its subnet
};

/// The networks every engine has. Made on the first call, with a subnet that overlaps nothing of
/// `taken`, and kept. `bip` ("" = none) replaces the stored address unless containers have leases.
/// Errors: InvalidArgument for a bad bip; Unavailable when every subnet is taken.
Result<std::vector<NetworkRecord>> loadNetworks(Database& database, const std::string& bip,
                                                const std::vector<Ipv4Prefix>& taken);

}  // namespace flotilla::engine
