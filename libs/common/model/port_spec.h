#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "common/model/container.h"

namespace flotilla::model {

/// "80/tcp": a port of a container. Without a protocol it is tcp.
struct PortSpec {
  std::uint16_t port = 0;
  std::string protocol = "tcp";

  /// Errors: InvalidArgument `invalid port specification: "x"`.
  static Result<PortSpec> parse(std::string_view text);
  [[nodiscard]] std::string text() const { return std::to_string(port) + "/" + protocol; }
  friend auto operator<=>(const PortSpec&, const PortSpec&) = default;
};

/// Host side of a binding: "" (any free port, 0-0), "8080", "8000-8010".
struct PortRange {
  std::uint16_t first = 0, last = 0;
  static Result<PortRange> parse(std::string_view text);
};

/// One published port of a request, typed.
struct PublishedPort {
  PortSpec container;
  std::string host_ip;  // "" = every address
  PortRange host;
};

/// HostConfig.PortBindings and, with PublishAllPorts, every exposed port (range syntax included)
/// that has none. Ordered by port. Errors: InvalidArgument in dockerd's words.
Result<std::vector<PublishedPort>> collectPublishedPorts(const ContainerConfig& config,
                                                         const HostConfig& host);

}  // namespace flotilla::model
