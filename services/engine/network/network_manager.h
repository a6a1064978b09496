#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/store/database.h"

namespace flotilla::engine {

/// One published port of a container as asked: HostConfig.PortBindings (and PublishAllPorts).
struct PortRequest {
  std::string protocol = "tcp";  // tcp, udp, sctp
  std::uint16_t container_port = 0;
  std::string host_ip;                // "" = every address
  std::uint16_t host_port_first = 0;  // 0 = any free ephemeral port
  std::uint16_t host_port_last = 0;   // a range "8000-8010" takes the first free one; 0 = first
};

struct PortBinding {
  std::string protocol;
  std::uint16_t container_port = 0;
  std::string host_ip;  // "0.0.0.0", "::" or as asked
  std::uint16_t host_port = 0;

  friend bool operator==(const PortBinding&, const PortBinding&) = default;
};

struct AttachRequest {
  std::string container_id;
  std::string network = "bridge";  // "bridge" ("default"), "host" or "none", or a network's ID
  std::string mac_address;         // "" = derived from the address
  std::string ipv4_address;        // "" = next free one
  std::vector<PortRequest> ports;
};

/// What inspect shows of a container's endpoint, stored with the container while it runs. On the
/// networks "host" and "none" only names and IDs are set.
struct Endpoint {
  std::string network, network_id, endpoint_id, sandbox_id, sandbox_key;
  std::string ipv4_address, gateway, mac_address;
  int prefix_length = 0;
  std::vector<PortBinding> ports;  // "0.0.0.0" and "::" are entries of their own, as in dockerd

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// A network namespace that is set up and owned by the caller, who passes it to the shim.
struct Attachment {
  UniqueFd netns;  // not valid on "host": the container shares the host's
  Endpoint endpoint;
  /// Bound, not listening sockets that reserve the published ports for as long as they are open.
  std::vector<UniqueFd> port_holders;
};

struct NetworkSummary {
  std::string id, name, driver;
};

/// A running container's endpoint as the documents of GET /networks show it.
struct RunningEndpoint {
  std::string container_id, container_name;
  Endpoint endpoint;
};

struct NetworkOptions {
  std::string bridge_name = "flotilla0";  // two daemons in one namespace need two names,
  std::string table_name = "flotilla";    // of bridge and of nft table
  std::string bip;                        // "172.30.0.1/16"; "" = chosen around the host's routes
  std::string sandbox_dir = "/run/flotilla/netns";  // shown as SandboxKey
  int mtu = 1500;
  unsigned warm_namespaces = 4;  // kept ready, made off the path of a start
  /// Running containers with an endpoint, for the documents; called without locks held.
  std::function<std::vector<RunningEndpoint>()> running;
};

/// Filters of GET /networks: name to accepted values ("driver", "id", "label", "name", "scope",
/// "type", "dangling").
using NetworkFilters = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// Networks of one engine. Thread-safe. All kernel objects are made by netlink and libnftables, in
/// the network namespace of the thread that called create(), rules in a table of Flotilla's own
/// (decisions.md 14, 15).
class NetworkManager {
 public:
  /// Reads or makes the records of bridge, host and none. Touches nothing of the kernel:
  /// reconcile() does, and comes before the first attach(); so may join(). `database` outlives the
  /// manager and was opened with networkMigrations(). Errors: InvalidArgument naming a bad option.
  static Result<std::unique_ptr<NetworkManager>> create(Database& database, NetworkOptions options);
  virtual ~NetworkManager() = default;

  /// A namespace with loopback up and nothing else (network mode none).
  virtual Result<UniqueFd> isolated() = 0;
  /// Errors: NotFound "network x not found"; when a port is taken Internal (dockerd answers 500) in
  /// Docker's words, whole: "failed to set up container networking: driver failed programming
  /// external connectivity on endpoint <name> (<id>): Bind for 0.0.0.0:80 failed: port is already
  /// allocated". Nothing is left behind on error. A container attached before is released first.
  virtual Result<Attachment> attach(const AttachRequest& request,
                                    const std::string& container_name) = 0;
  /// Gives back addresses, rules and ports of a container. Idempotent. The kernel removes the veth
  /// with the namespace. Call it once the shim is gone: the shim's sockets hold the ports.
  virtual Result<void> release(const std::string& container_id) = 0;

  /// At start-up, before any attach(), and after a flush of the rules: makes bridge and rules as
  /// they should be for these containers (all that run with an endpoint, by ID) and removes
  /// leftovers of crashed starts.
  virtual Result<void> reconcile(const std::vector<std::pair<std::string, Endpoint>>& running) = 0;

  /// Instead of reconcile(), beside workers of this host that have done it: changes nothing of
  /// theirs.
  virtual Result<void> join() = 0;

  /// Errors: NotFound "network x not found".
  virtual Result<NetworkSummary> find(const std::string& name_or_id) = 0;
  /// GET /networks/{id}. Errors: NotFound.
  virtual Result<std::string> inspectJson(const std::string& name_or_id) = 0;
  /// GET /networks. Errors: InvalidArgument in Docker's words.
  virtual Result<std::string> listJson(const NetworkFilters& filters) = 0;
  /// What of the host's set-up keeps containers from being reached, in words for `info` and the
  /// log.
  virtual std::vector<std::string> warnings() = 0;
};

/// Schema of this module, for Database::open.
std::vector<Migration> networkMigrations();

}  // namespace flotilla::engine
