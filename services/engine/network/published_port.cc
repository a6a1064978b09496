#include "engine/network/published_port.h"

#include <charconv>
#include <optional>

namespace flotilla::engine {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
  }
  return parts;
}

std::optional<std::uint16_t> parsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return port;
}

}  // namespace

std::string encodeBindings(const std::vector<PortBinding>& bindings) {
  std::string text;
  for (const auto& binding : bindings) {
    text += (text.empty() ? "" : ";") + binding.protocol + " " + binding.host_ip + " " +
            std::to_string(binding.host_port) + " " + std::to_string(binding.container_port);
  }
  return text;
}

std::vector<PortBinding> decodeBindings(std::string_view text) {
  std::vector<PortBinding> bindings;
  for (const auto entry : split(text, ';')) {
    const auto fields = split(entry, ' ');
    if (fields.size() != 4) {
      continue;
    }
    const auto host_port = parsePort(fields[2]);
    const auto container_port = parsePort(fields[3]);
    if (host_port && container_port) {
      bindings.push_back(
          {std::string(fields[0]), *container_port, std::string(fields[1]), *host_port});
    }
  }
  return bindings;
}

bool isIpv6(std::string_view host_ip) { return host_ip.find(':') != std::string_view::npos; }

bool bindingsOverlap(const PortBinding& a, const PortBinding& b) {
  if (a.protocol != b.protocol || a.host_port != b.host_port ||
      isIpv6(a.host_ip) != isIpv6(b.host_ip)) {
    return false;
  }
  const std::string_view any = isIpv6(a.host_ip) ? "::" : "0.0.0.0";
  return a.host_ip == b.host_ip || a.host_ip == any || b.host_ip == any;
}

}  // namespace flotilla::engine
