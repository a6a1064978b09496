#include "common/model/port_spec.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace flotilla::model {
namespace {

Error invalidPort(std::string_view text) {
  return Error(ErrorKind::InvalidArgument,
               "invalid port specification: \"" + std::string(text) + "\"");
}

bool parsePort(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return result;
}

bool isAddress(const std::string& text) {
  in6_addr ignored{};
  return inet_pton(AF_INET, text.c_str(), &ignored) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &ignored) == 1;
}

/// "80-82/tcp", the form Config.ExposedPorts may have; empty when it is none.
std::vector<PortSpec> expandExposed(const std::string& text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto range = PortRange::parse(std::string_view(text).substr(0, slash));
  std::vector<PortSpec> ports;
  if (!range || range->first == 0) {
    return ports;
  }
  const std::string protocol = slash + 1 < text.size() ? lower(text.substr(slash + 1)) : "tcp";
  for (unsigned port = range->first; port <= range->last; ++port) {
    ports.push_back({static_cast<std::uint16_t>(port), protocol});
  }
  return ports;
}

}  // namespace

Result<PortSpec> PortSpec::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  PortSpec spec;
  if (!parsePort(text.substr(0, slash), spec.port)) {
    return invalidPort(text.substr(0, slash));
  }
  if (slash + 1 < text.size()) {
    spec.protocol = lower(text.substr(slash + 1));
  }
  if (spec.protocol != "tcp" && spec.protocol != "udp" && spec.protocol != "sctp") {
    return Error(ErrorKind::InvalidArgument, "invalid proto: " + spec.protocol);
  }
  return spec;
}

Result<PortRange> PortRange::parse(std::string_view text) {
  PortRange range;
  if (text.empty()) {
    return range;
  }
  const std::size_t dash = text.find('-');
  if (!parsePort(text.substr(0, dash), range.first)) {
    return invalidPort(text);
  }
  range.last = range.first;
  if (dash != std::string_view::npos &&
      (!parsePort(text.substr(dash + 1), range.last) || range.last < range.first)) {
    return invalidPort(text);
  }
  return range;
}

Result<std::vector<PublishedPort>> collectPublishedPorts(const ContainerConfig& config,
                                                         const HostConfig& host) {
  std::vector<PublishedPort> ports;
  std::set<PortSpec> bound;
  for (const auto& [key, bindings] : host.port_bindings) {
    FLO_TRY_ASSIGN(const PortSpec spec, PortSpec::parse(key));
    for (const PortBinding& binding : bindings) {
      FLO_TRY_ASSIGN(const PortRange range, PortRange::parse(binding.host_port));
      if (!binding.host_ip.empty() && !isAddress(binding.host_ip)) {
        return Error(ErrorKind::InvalidArgument, "invalid IP address: " + binding.host_ip);
      }
      ports.push_back({spec, binding.host_ip, range});
    }
    if (!bindings.empty()) {
      bound.insert(spec);
    }
  }
  for (const std::string& exposed : config.exposed_ports) {
    for (const PortSpec& spec : expandExposed(exposed)) {
      if (host.publish_all_ports && bound.insert(spec).second) {
        ports.push_back({spec, "", {}});
      }
    }
  }
  std::stable_sort(ports.begin(), ports.end(), [](const PublishedPort& a, const PublishedPort& b) {
    return a.container < b.container;
  });
  return ports;
}

}  // namespace flotilla::model
