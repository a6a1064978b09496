#include "engine/network/local_network_manager.h"

#include <fcntl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "common/os/atomic_file.h"
#include "common/os/random.h"
#include "engine/network/conntrack.h"
#include "engine/network/links.h"
#include "engine/network/network_documents.h"
#include "engine/network/published_port.h"

namespace flotilla::engine {
namespace {

constexpr std::string_view kSetUpFailed = "failed to set up container networking: ";
constexpr std::size_t kShortId = 12;

const NetworkRecord& bridgeOf(const std::vector<NetworkRecord>& records) {
  return *std::find_if(records.begin(), records.end(),
                       [](const auto& record) { return record.driver == "bridge"; });
}

Result<void> writeSysctl(const std::string& path, char value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd || ::write(fd.get(), &value, 1) != 1) {
    return sysError("set " + path, errno);
  }
  return {};
}

/// Go's words for an errno are C's in lower case.
std::string lowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::vector<PublishedPort> published(const std::vector<PortBinding>& bindings, Ipv4 container) {
  std::vector<PublishedPort> ports;
  for (const auto& binding : bindings) {
    ports.push_back({binding, container});
  }
  return ports;
}

Error unavailablePort(const PortBinding& holder, const std::string& endpoint_label) {
  return {ErrorKind::Internal, std::string(kSetUpFailed) +
                                   "driver failed programming external connectivity on endpoint " +
                                   endpoint_label + ": Bind for " + holder.host_ip + ":" +
                                   std::to_string(holder.host_port) +
                                   " failed: port is already allocated"};
}

}  // namespace

Result<std::unique_ptr<NetworkManager>> NetworkManager::create(Database& database,
                                                               NetworkOptions options) {
  FLO_TRY_ASSIGN(auto host, NetlinkSocket::open(NETLINK_ROUTE));
  FLO_TRY_ASSIGN(const auto taken, subnetsInUse(host));
  FLO_TRY_ASSIGN(auto records, loadNetworks(database, options.bip, taken));
  FLO_TRY_ASSIGN(auto firewall, Firewall::create({options.table_name, options.bridge_name,
                                                  bridgeOf(records).gateway.value()}));
  return std::unique_ptr<NetworkManager>(std::make_unique<LocalNetworkManager>(
      database, std::move(options), std::move(records), std::move(host), std::move(firewall)));
}

LocalNetworkManager::LocalNetworkManager(Database& database, NetworkOptions options,
                                         std::vector<NetworkRecord> records, NetlinkSocket host,
                                         std::unique_ptr<Firewall> firewall)
    : options_(std::move(options)),
      records_(std::move(records)),
      leases_(database, bridge().id, bridge().gateway.value()),
      allocator_(PortAllocator::ephemeralRange()),
      firewall_(std::move(firewall)),
      host_(std::move(host)) {}

const NetworkRecord& LocalNetworkManager::bridge() const { return bridgeOf(records_); }

Result<const NetworkRecord*> LocalNetworkManager::findRecord(const std::string& name_or_id) const {
  const NetworkRecord* by_prefix = nullptr;
  for (const auto& record : records_) {
    if (record.name == name_or_id || record.id == name_or_id ||
        (name_or_id == "default" && record.driver == "bridge")) {
      return &record;
    }
    if (!name_or_id.empty() && record.id.starts_with(name_or_id)) {
      if (by_prefix != nullptr) {
        return Error{
            ErrorKind::InvalidArgument,
            "network " + name_or_id + " is ambiguous (2 matches found based on ID prefix)"};
      }
      by_prefix = &record;
    }
  }
  if (by_prefix == nullptr) {
    return Error{ErrorKind::NotFound, "network " + name_or_id + " not found"};
  }
  return by_prefix;
}

Endpoint LocalNetworkManager::newEndpoint(const NetworkRecord& record) const {
  Endpoint endpoint;
  endpoint.network = record.name;
  endpoint.network_id = record.id;
  endpoint.endpoint_id = randomHex(32);
  endpoint.sandbox_id = randomHex(32);
  endpoint.sandbox_key =
      options_.sandbox_dir + "/" +
      (record.driver == "host" ? "default" : endpoint.sandbox_id.substr(0, kShortId));
  return endpoint;
}

Result<UniqueFd> LocalNetworkManager::isolated() {
  FLO_TRY_ASSIGN(auto made, makeNamespace());
  return std::move(made.netns);
}

Result<Attachment> LocalNetworkManager::attach(const AttachRequest& request,
                                               const std::string& container_name) {
  FLO_TRY_ASSIGN(const auto* record, findRecord(request.network));
  auto endpoint = newEndpoint(*record);
  if (record->driver == "bridge") {
    return attachToBridge(request, std::move(endpoint), container_name);
  }
  Attachment attachment;
  attachment.endpoint = std::move(endpoint);
  if (record->driver == "null") {
    FLO_TRY_ASSIGN(attachment.netns, isolated());
  }
  return attachment;
}

Result<Attachment> LocalNetworkManager::attachToBridge(const AttachRequest& request,
                                                       Endpoint endpoint,
                                                       const std::string& container_name) {
  const auto wanted = Ipv4::parse(request.ipv4_address);
  if (!request.ipv4_address.empty() && !wanted) {
    return Error{ErrorKind::InvalidArgument, "invalid IPv4 address: " + request.ipv4_address};
  }
  if (!request.mac_address.empty() && !parseMac(request.mac_address)) {
    return Error{ErrorKind::InvalidArgument, request.mac_address + " is not a valid mac address"};
  }
  const auto label = container_name + " (" + endpoint.endpoint_id + ")";
  FLO_TRY_ASSIGN(auto held, holdPorts(request, label));
  FLO_TRY_ASSIGN(
      const auto lease,
      leases_.take({{}, request.container_id, endpoint.endpoint_id, held.bindings}, wanted));
  if (lease.replaced) {  // a start that crashed; a withdraw that fails leaves nothing rebuilding
                         // would not
    [[maybe_unused]] const auto withdrawn =
        firewall_->withdraw(published(lease.replaced->ports, lease.replaced->address));
  }
  endpoint.ports = std::move(held.bindings);
  Attachment attachment{UniqueFd{}, std::move(endpoint), std::move(held.holders)};
  if (auto finished = finishAttach(request, attachment, lease.address); !finished) {
    [[maybe_unused]] const auto released = release(request.container_id);
    return std::move(finished).error().context(kSetUpFailed.substr(0, kSetUpFailed.size() - 2));
  }
  return attachment;
}

Result<void> LocalNetworkManager::finishAttach(const AttachRequest& request, Attachment& attachment,
                                               Ipv4 address) {
  const auto& gateway = leases_.gateway();
  auto& endpoint = attachment.endpoint;
  endpoint.ipv4_address = address.text();
  endpoint.prefix_length = gateway.length;
  endpoint.gateway = gateway.address.text();
  endpoint.mac_address =
      request.mac_address.empty() ? macFor(address) : lowerCase(request.mac_address);
  FLO_TRY_ASSIGN(auto* const warm_pool, pool());
  FLO_TRY_ASSIGN(auto warm, warm_pool->take());
  FLO_TRY(configureInside(warm.space.inside, {.index = warm.link_index,
                                              .mac = parseMac(endpoint.mac_address).value(),
                                              .address = {address, gateway.length},
                                              .gateway = gateway.address}));
  FLO_TRY(publish(published(endpoint.ports, address)));
  attachment.netns = std::move(warm.space.netns);
  return {};
}

Result<HeldPorts> LocalNetworkManager::holdPorts(const AttachRequest& request,
                                                 const std::string& endpoint_label) {
  auto held = allocator_.allocate(request.ports);
  if (!held) {
    return portError(held.error(), endpoint_label);
  }
  FLO_TRY(checkUnheld(*held, endpoint_label));
  return std::move(*held);
}

Error LocalNetworkManager::portError(const PortFailure& failure,
                                     const std::string& endpoint_label) {
  const auto& binding = failure.binding;
  if (failure.error == EADDRINUSE) {
    if (const auto holder = failure.holder ? failure.holder : ourHolder(binding)) {
      return unavailablePort(*holder, endpoint_label);
    }
  }
  // dockerd names the address the container would have had, and so do we, as far as one can tell.
  const auto address = leases_.peek();
  const auto host = isIpv6(binding.host_ip) ? "[" + binding.host_ip + "]" : binding.host_ip;
  return {ErrorKind::Internal,
          std::string(kSetUpFailed) +
              "driver failed programming external connectivity on endpoint " + endpoint_label +
              ": failed to bind host port for " + host + ":" + std::to_string(binding.host_port) +
              ":" + (address ? address->text() : std::string{}) + ":" +
              std::to_string(binding.container_port) + "/" + binding.protocol + ": " +
              lowerCase(sysError("", failure.error).message().substr(2)),
          failure.error};
}

/// Ports that no socket could hold (SCTP on a kernel without it) are kept apart by the records.
Result<void> LocalNetworkManager::checkUnheld(const HeldPorts& held,
                                              const std::string& endpoint_label) {
  if (held.holders.size() == held.bindings.size()) {
    return {};
  }
  for (const auto& binding : held.bindings) {
    if (const auto holder = binding.protocol == "sctp" ? ourHolder(binding) : std::nullopt) {
      return unavailablePort(*holder, endpoint_label);
    }
  }
  return {};
}

std::optional<PortBinding> LocalNetworkManager::ourHolder(const PortBinding& wanted) {
  const auto leases = leases_.list();
  if (!leases) {
    return std::nullopt;
  }
  for (const auto& lease : *leases) {
    for (const auto& binding : lease.ports) {
      if (bindingsOverlap(binding, wanted)) {
        return binding;
      }
    }
  }
  return std::nullopt;
}

Result<void> LocalNetworkManager::publish(const std::vector<PublishedPort>& ports) {
  if (!firewall_->publish(ports)) {
    // Flushed, or a leftover of a crash is in the way; the rows have these ports.
    FLO_TRY(rebuildRules());
  }
  // Best effort: without conntrack's netlink the kernel forgets by itself after half a minute.
  [[maybe_unused]] const auto forgotten = forgetUdpFlows(ports);
  return {};
}

Result<void> LocalNetworkManager::release(const std::string& container_id) {
  FLO_TRY_ASSIGN(const auto lease, leases_.release(container_id));
  if (!lease || firewall_->withdraw(published(lease->ports, lease->address))) {
    return {};
  }
  return rebuildRules();
}

Result<void> LocalNetworkManager::rebuildRules() {
  return firewall_->rebuild([this]() -> Result<std::vector<PublishedPort>> {
    FLO_TRY_ASSIGN(const auto leases, leases_.list());
    std::vector<PublishedPort> ports;
    for (const auto& lease : leases) {
      const auto of_lease = published(lease.ports, lease.address);
      ports.insert(ports.end(), of_lease.begin(), of_lease.end());
    }
    return ports;
  });
}

Result<NamespacePool*> LocalNetworkManager::pool() {
  const MutexLock lock(mutex_);
  if (!pool_) {
    return Error{ErrorKind::Unavailable, "the network is not set up yet"};
  }
  return pool_.get();
}

Result<void> LocalNetworkManager::adoptLeases(
    const std::vector<std::pair<std::string, Endpoint>>& running) {
  std::vector<Lease> leases;
  for (const auto& [container_id, endpoint] : running) {
    const auto address = Ipv4::parse(endpoint.ipv4_address);
    if (endpoint.network_id == bridge().id && address) {
      leases.push_back({*address, container_id, endpoint.endpoint_id, endpoint.ports});
    }
  }
  return leases_.replaceAll(leases);
}

Result<void> LocalNetworkManager::reconcile(
    const std::vector<std::pair<std::string, Endpoint>>& running) {
  FLO_TRY(adoptLeases(running));
  const MutexLock lock(mutex_);
  FLO_TRY(ensureBridge(host_, options_.bridge_name, leases_.gateway(), options_.mtu));
  // The guard of the loopback addresses is in these rules: they come before route_localnet.
  FLO_TRY(rebuildRules());
  FLO_TRY(writeSysctl("/proc/sys/net/ipv4/conf/" + options_.bridge_name + "/route_localnet", '1'));
  FLO_TRY(writeSysctl("/proc/sys/net/ipv4/ip_forward", '1'));
  return openPool();
}

Result<void> LocalNetworkManager::join() {
  const MutexLock lock(mutex_);
  FLO_TRY(ensureBridge(host_, options_.bridge_name, leases_.gateway(), options_.mtu));
  return openPool();
}

Result<void> LocalNetworkManager::openPool() {
  if (!pool_) {
    FLO_TRY_ASSIGN(pool_, NamespacePool::create({.bridge = options_.bridge_name,
                                                 .mtu = options_.mtu,
                                                 .size = options_.warm_namespaces}));
  }
  return {};
}

Result<NetworkSummary> LocalNetworkManager::find(const std::string& name_or_id) {
  FLO_TRY_ASSIGN(const auto* record, findRecord(name_or_id));
  return NetworkSummary{record->id, record->name, record->driver};
}

Result<std::string> LocalNetworkManager::inspectJson(const std::string& name_or_id) {
  FLO_TRY_ASSIGN(const auto* record, findRecord(name_or_id));
  const auto running = options_.running ? options_.running() : std::vector<RunningEndpoint>{};
  return networkDocument(*record, {options_.bridge_name, options_.mtu}, running);
}

Result<std::string> LocalNetworkManager::listJson(const NetworkFilters& filters) {
  FLO_TRY(checkNetworkFilters(filters));
  std::vector<NetworkRecord> matching;
  std::copy_if(records_.begin(), records_.end(), std::back_inserter(matching),
               [&](const NetworkRecord& record) { return matchesNetworkFilters(record, filters); });
  return networkListDocument(matching, {options_.bridge_name, options_.mtu});
}

std::vector<std::string> LocalNetworkManager::warnings() { return firewall_->foreignDrops(); }

}  // namespace flotilla::engine
