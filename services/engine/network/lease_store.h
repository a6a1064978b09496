#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "engine/network/ipv4.h"
#include "engine/network/network_manager.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// An address in use: by a container, or by the gateway (container_id "").
struct Lease {
  Ipv4 address;
  std::string container_id, endpoint_id;
  std::vector<PortBinding> ports;
};

/// Address management of one network in the engine's database, so that several workers share it: a
/// row per address in use. Thread-safe.
class LeaseStore {
 public:
  LeaseStore(Database& database, std::string network_id, Ipv4Prefix gateway)
      : database_(database), network_id_(std::move(network_id)), gateway_(gateway) {}

  struct Taken {
    Ipv4 address;
    std::optional<Lease> replaced;  // an earlier one of the same container
  };
  /// The lowest free address (as dockerd's), or the one asked for. One lease a container: an
  /// earlier one is replaced. Errors: Conflict "Address already in use"; Unavailable "no available
  /// IPv4 addresses on this network's address pools"; InvalidArgument outside the subnet.
  Result<Taken> take(const Lease& wanted, std::optional<Ipv4> address);
  /// The lease that was there. Nothing when there was none.
  Result<std::optional<Lease>> release(const std::string& container_id);
  /// Makes the rows equal to `leases`.
  Result<void> replaceAll(const std::vector<Lease>& leases);
  Result<std::vector<Lease>> list();
  /// What take() without an address would give now.
  Result<Ipv4> peek();

  [[nodiscard]] const Ipv4Prefix& gateway() const { return gateway_; }

 private:
  Result<Ipv4> choose(Transaction& transaction, std::optional<Ipv4> wanted);
  Result<std::optional<Lease>> remove(Transaction& transaction, const std::string& container_id);
  Result<void> insert(Transaction& transaction, const Lease& lease);
  [[nodiscard]] bool isUsable(Ipv4 address) const;

  Database& database_;
  const std::string network_id_;
  const Ipv4Prefix gateway_;
};

}  // namespace flotilla::engine
