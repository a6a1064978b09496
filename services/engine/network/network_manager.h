#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// One published port of a container as asked: HostConfig.PortBindings (and PublishAllPorts).
struct PortRequest {
  std::string protocol = "tcp";         // tcp, udp, sctp
  std::uint16_t container_port = 0;
  std::string host_ip;                  // "" = every address
  std::uint16_t host_port_first = 0;    // 0 = any free ephemeral port
  std::uint16_t host_port_last = 0;     // a range "8000-8010" takes the first free one
};

struct PortBinding {
  std::string protocol;
  std::uint16_t container_port = 0;
  std::string host_ip;                  // "0.0.0.0", "::" or as asked
  std::uint16_t host_port = 0;
};

struct AttachRequest {
  std::string container_id;
  std::string network;                  // "bridge": the default network's name
  std::string mac_address;              // "" = derived from the address, as Docker
  std::string ipv4_address;             // "" = next free one
  std::vector<PortRequest> ports;
};

/// What inspect shows of a container's endpoint, stored with the container while it runs.
struct Endpoint {
  std::string network, network_id, endpoint_id, sandbox_id;
  std::string ipv4_address, gateway, mac_address;
  int prefix_length = 0;
  std::vector<PortBinding> ports;
};

/// A network namespace that is set up and owned by the caller, who passes it to the shim.
struct Attachment {
  UniqueFd netns;
  Endpoint endpoint;
  std::vector<UniqueFd> port_holders;   // bound sockets that reserve the published ports
};

/// Networks of one engine. Thread-safe. All kernel objects are reached by netlink and libnftables,
/// in Flotilla's own table `inet flotilla`... (decisions.md 14, 15).
class NetworkManager {
 public:
  virtual ~NetworkManager() = default;

  /// A namespace with loopback up and nothing else (network mode none).
  virtual Result<UniqueFd> isolated() = 0;
  /// Errors: NotFound (network), Conflict/Internal in Docker's words when a port is taken:
  /// "driver failed programming external connectivity on endpoint <name> (<id>): Bind for
  /// 0.0.0.0:80 failed: port is already allocated". Nothing is left behind on error.
  virtual Result<Attachment> attach(const AttachRequest& request, const std::string& container_name) = 0;
  /// Gives back addresses, rules and ports of a container. Idempotent. The kernel removes the veth
  /// with the namespace.
  virtual Result<void> release(const std::string& container_id) = 0;

  /// At start-up and after a flush: makes bridge and rules as they should be for these containers
  /// (all that run with an endpoint) and removes leftovers of crashed starts.
  virtual Result<void> reconcile(const std::vector<std::pair<std::string, Endpoint>>& running) = 0;

  /// "GET /networks" documents (bridge, host, none), containers filled in by the caller.
  virtual Result<std::string> inspectJson(const std::string& name_or_id) = 0;
  virtual Result<std::string> listJson() = 0;
};

}  // namespace flotilla::engine
