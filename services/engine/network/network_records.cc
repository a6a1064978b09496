#include "engine/network/network_records.h"

#include <algorithm>
#include <string_view>

#include "common/os/random.h"
#include "common/os/rfc3339.h"
#include "engine/network/network_manager.h"

namespace flotilla::engine {
namespace {

constexpr std::string_view kSchema1 = R"sql(
CREATE TABLE networks(
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  driver TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  gateway TEXT NOT NULL            -- "172.17.0.1/16", '' without addresses
) WITHOUT ROWID;
CREATE TABLE network_leases(
  network_id TEXT NOT NULL,
  address INTEGER NOT NULL,
  container_id TEXT NOT NULL,
  endpoint_id TEXT NOT NULL,
  ports TEXT NOT NULL,             -- see encodeBindings
  PRIMARY KEY(network_id, address)
) WITHOUT ROWID;
CREATE UNIQUE INDEX network_leases_by_container ON network_leases(container_id, network_id);
)sql";

Result<std::vector<NetworkRecord>> select(Transaction& transaction) {
  FLO_TRY_ASSIGN(auto rows,
                 transaction.prepare(
                     "SELECT id, name, driver, created_ns, gateway FROM networks ORDER BY name"));
  std::vector<NetworkRecord> records;
  while (true) {
    FLO_TRY_ASSIGN(const bool more, rows.step());
    if (!more) {
      return records;
    }
    records.push_back({rows.text(0), rows.text(1), rows.text(2), rows.integer(3),
                       Ipv4Prefix::parse(rows.view(4))});
  }
}

Result<void> insert(Transaction& transaction, const NetworkRecord& record) {
  FLO_TRY_ASSIGN(
      auto row,
      transaction.prepare(
          "INSERT INTO networks(id, name, driver, created_ns, gateway) VALUES(?, ?, ?, ?, ?)"));
  return row.bind(record.id)
      .bind(record.name)
      .bind(record.driver)
      .bind(record.created_ns)
      .bind(record.gateway ? record.gateway->text() : std::string{})
      .run();
}

Result<void> moveBridge(Transaction& transaction, const std::string& gateway) {
  FLO_TRY_ASSIGN(auto leased, transaction.prepare("SELECT 1 FROM network_leases LIMIT 1"));
  FLO_TRY_ASSIGN(const bool in_use, leased.step());
  if (in_use) {
    return {};
  }
  FLO_TRY_ASSIGN(auto update,
                 transaction.prepare("UPDATE networks SET gateway=? WHERE name='bridge'"));
  return update.bind(gateway).run();
}

Result<std::optional<Ipv4Prefix>> parseBip(const std::string& bip) {
  if (bip.empty()) {
    return std::optional<Ipv4Prefix>{};
  }
  const auto parsed = Ipv4Prefix::parse(bip);
  if (!parsed || parsed->length < 8 || parsed->length > 30 ||
      parsed->network().address == parsed->address || parsed->broadcast() == parsed->address) {
    return Error{ErrorKind::InvalidArgument,
                 "invalid value for bip: \"" + bip +
                     "\" (an address with its prefix length, as 172.30.0.1/16)"};
  }
  return parsed;
}

}  // namespace

std::vector<Migration> networkMigrations() { return {{"network", 1, kSchema1}}; }

Result<std::vector<NetworkRecord>> loadNetworks(Database& database, const std::string& bip,
                                                const std::vector<Ipv4Prefix>& taken) {
  FLO_TRY_ASSIGN(const auto wanted, parseBip(bip));
  std::vector<NetworkRecord> records;
  FLO_TRY(database.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(records, select(transaction));
    return {};
  }));
  const auto is_current = [&](const NetworkRecord& record) {
    return !record.gateway || !wanted || *record.gateway == *wanted;
  };
  if (!records.empty() && std::all_of(records.begin(), records.end(), is_current)) {
    return records;
  }
  auto gateway = wanted;
  if (!gateway && (gateway = chooseSubnet(taken))) {
    gateway->address.value += 1;
  }
  if (!gateway) {
    return Error{ErrorKind::Unavailable,
                 "every subnet for the default bridge is in use on this host: set bip"};
  }
  FLO_TRY(database.write(Durability::Durable, [&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(records, select(transaction));
    if (records.empty()) {
      const auto now = wallClockNanoseconds();
      FLO_TRY(insert(transaction, {randomHex(32), "bridge", "bridge", now, gateway}));
      FLO_TRY(insert(transaction, {randomHex(32), "host", "host", now, std::nullopt}));
      FLO_TRY(insert(transaction, {randomHex(32), "none", "null", now, std::nullopt}));
    } else if (wanted) {
      FLO_TRY(moveBridge(transaction, wanted->text()));
    }
    FLO_TRY_ASSIGN(records, select(transaction));
    return {};
  }));
  return records;
}

}  // namespace flotilla::engine
