#include "registry-proxy/upstream/url.h"

#include <charconv>

namespace flotilla::registry {
namespace {

constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kHttpsPort = 443;

std::uint16_t ownPort(std::string_view scheme) {
  return scheme == "https" ? kHttpsPort : kHttpPort;
}

Error invalid(std::string_view text) {
  return Error{ErrorKind::InvalidArgument, "invalid URL \"" + std::string(text) + "\""};
}

/// What stands before and after the port's colon; "[::1]:5000" has one, "[::1]" has none.
std::pair<std::string_view, std::string_view> splitPort(std::string_view authority) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) {
    return {authority, {}};
  }
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

bool isPrintable(std::string_view text) {
  for (const unsigned char c : text) {
    if (c <= ' ' || c == 0x7F) {
      return false;
    }
  }
  return true;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  Url url;
  const std::size_t colon = text.find("://");
  url.scheme = colon == std::string_view::npos ? "" : std::string(text.substr(0, colon));
  if ((url.scheme != "http" && url.scheme != "https") || !isPrintable(text)) {
    return invalid(text);
  }
  std::string_view rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const std::size_t slash = rest.find_first_of("/?");
  if (slash != std::string_view::npos) {
    url.target = rest.substr(slash);
    if (url.target.front() == '?') {
      url.target.insert(0, "/");
    }
  }
  const auto [host, port] = splitPort(rest.substr(0, slash));
  url.host = host;
  if (url.host.starts_with('[') && url.host.ends_with(']')) {
    url.host = url.host.substr(1, url.host.size() - 2);
  }
  // User information in a URL would end in logs and in other servers' requests.
  if (url.host.empty() || url.host.find_first_of("@[]") != std::string::npos) {
    return invalid(text);
  }
  url.port = ownPort(url.scheme);
  if (!port.empty()) {
    const auto [end, failed] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (failed != std::errc{} || end != port.data() + port.size() || url.port == 0) {
      return invalid(text);
    }
  }
  return url;
}

Result<Url> Url::resolve(std::string_view location) const {
  if (location.find("://") != std::string_view::npos) {
    return parse(location);
  }
  if (location.starts_with("//")) {
    return parse(scheme + ":" + std::string(location));
  }
  if (!location.starts_with('/') || !isPrintable(location)) {
    return invalid(location);
  }
  Url url = *this;
  url.target = location;
  return url;
}

std::string Url::authority() const {
  std::string out = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != ownPort(scheme)) {
    out += ":" + std::to_string(port);
  }
  return out;
}

}  // namespace flotilla::registry
