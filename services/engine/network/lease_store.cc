#include "engine/network/lease_store.h"

#include <algorithm>

#include "engine/network/published_port.h"

namespace flotilla::engine {
namespace {

Lease leaseOf(const Statement& row) {
  return {Ipv4{static_cast<std::uint32_t>(row.integer(0))}, row.text(1), row.text(2),
          decodeBindings(row.view(3))};
}

}  // namespace

bool LeaseStore::isUsable(Ipv4 address) const {
  return gateway_.contains(address) && address != gateway_.network().address &&
         address != gateway_.broadcast() && address != gateway_.address;
}

Result<Ipv4> LeaseStore::choose(Transaction& transaction, std::optional<Ipv4> wanted) {
  if (wanted) {
    if (!isUsable(*wanted)) {
      return Error{ErrorKind::InvalidArgument, "Requested address " + wanted->text() +
                                                   " is not available in " +
                                                   gateway_.network().text()};
    }
    FLO_TRY_ASSIGN(
        auto taken,
        transaction.prepare("SELECT 1 FROM network_leases WHERE network_id=? AND address=?"));
    FLO_TRY_ASSIGN(const bool found, taken.bind(network_id_).bind(wanted->value).step());
    if (found) {
      return Error{ErrorKind::Conflict, "Address already in use"};
    }
    return *wanted;
  }
  // Rows come in order of address: the first gap is the lowest free one.
  FLO_TRY_ASSIGN(auto rows,
                 transaction.prepare(
                     "SELECT address FROM network_leases WHERE network_id=? ORDER BY address"));
  rows.bind(network_id_);
  Ipv4 candidate{gateway_.network().address.value + 1};
  while (true) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    const auto next =
        more ? static_cast<std::uint32_t>(rows.integer(0)) : gateway_.broadcast().value;
    for (; candidate.value < next; ++candidate.value) {
      if (isUsable(candidate)) {
        return candidate;
      }
    }
    if (!more) {
      return Error{ErrorKind::Unavailable,
                   "no available IPv4 addresses on this network's address pools"};
    }
    candidate.value = std::max(candidate.value, next + 1);
  }
}

Result<std::optional<Lease>> LeaseStore::remove(Transaction& transaction,
                                                const std::string& container_id) {
  FLO_TRY_ASSIGN(auto row, transaction.prepare(
                               "DELETE FROM network_leases WHERE container_id=? AND network_id=? "
                               "RETURNING address, container_id, endpoint_id, ports"));
  FLO_TRY_ASSIGN(const bool found, row.bind(container_id).bind(network_id_).step());
  if (!found) {
    return std::optional<Lease>{};
  }
  std::optional<Lease> removed = leaseOf(row);
  FLO_TRY(row.step());  // a RETURNING statement takes effect whole, but ends only when drained
  return removed;
}

Result<void> LeaseStore::insert(Transaction& transaction, const Lease& lease) {
  FLO_TRY_ASSIGN(
      auto row, transaction.prepare("INSERT INTO network_leases(network_id, address, container_id, "
                                    "endpoint_id, ports) VALUES(?, ?, ?, ?, ?)"));
  return row.bind(network_id_)
      .bind(lease.address.value)
      .bind(lease.container_id)
      .bind(lease.endpoint_id)
      .bind(encodeBindings(lease.ports))
      .run();
}

Result<LeaseStore::Taken> LeaseStore::take(const Lease& wanted, std::optional<Ipv4> address) {
  Taken taken;
  FLO_TRY(database_.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(taken.replaced, remove(transaction, wanted.container_id));
    FLO_TRY_ASSIGN(taken.address, choose(transaction, address));
    Lease lease = wanted;
    lease.address = taken.address;
    return insert(transaction, lease);
  }));
  return taken;
}

Result<Ipv4> LeaseStore::peek() {
  Ipv4 address;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(address, choose(transaction, std::nullopt));
    return {};
  }));
  return address;
}

Result<std::optional<Lease>> LeaseStore::release(const std::string& container_id) {
  std::optional<Lease> released;
  FLO_TRY(database_.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(released, remove(transaction, container_id));
    return {};
  }));
  return released;
}

Result<void> LeaseStore::replaceAll(const std::vector<Lease>& leases) {
  return database_.write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto clear,
                   transaction.prepare("DELETE FROM network_leases WHERE network_id=?"));
    FLO_TRY(clear.bind(network_id_).run());
    for (const auto& lease : leases) {
      FLO_TRY(insert(transaction, lease));
    }
    return {};
  });
}

Result<std::vector<Lease>> LeaseStore::list() {
  std::vector<Lease> leases;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    leases.clear();
    FLO_TRY_ASSIGN(
        auto rows,
        transaction.prepare("SELECT address, container_id, endpoint_id, ports FROM network_leases "
                            "WHERE network_id=? ORDER BY address"));
    rows.bind(network_id_);
    while (true) {
      FLO_TRY_ASSIGN(const bool more, rows.step());
      if (!more) {
        return {};
      }
      leases.push_back(leaseOf(rows));
    }
  }));
  return leases;
}

}  // namespace flotilla::engine
