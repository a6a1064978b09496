#include "common/net/address.h"

#include <fmt/format.h>
#include <sys/un.h>

#include <charconv>

namespace flotilla::net {
namespace {

constexpr std::size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;

Error bad(std::string_view text, std::string_view why) {
  return {ErrorKind::InvalidArgument,
          "invalid address \"" + std::string(text) + "\": " + std::string(why)};
}

/// The rest of `text` after `scheme` + ":" and optional "//".
bool takeScheme(std::string_view& text, std::string_view scheme) {
  if (text.substr(0, scheme.size()) != scheme || text.substr(scheme.size(), 1) != ":") {
    return false;
  }
  text.remove_prefix(scheme.size() + 1);
  if (text.substr(0, 2) == "//") {
    text.remove_prefix(2);
  }
  return true;
}

Result<std::uint16_t> parsePort(std::string_view text, std::string_view whole) {
  std::uint16_t port = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    return bad(whole, "the port must be a number up to 65535");
  }
  return port;
}

Result<Address> parseUnix(std::string_view path, std::string_view whole) {
  if (path.empty() || path.front() != '/') {
    return bad(whole, "an absolute path is needed");
  }
  if (path.size() > kMaxUnixPath) {
    return bad(whole, "the path is longer than " + std::to_string(kMaxUnixPath) + " bytes");
  }
  return Address{.kind = Address::Kind::Unix, .path = std::string(path)};
}

Result<Address> parseTcp(std::string_view rest, std::string_view whole,
                         std::uint16_t default_port) {
  Address address{.kind = Address::Kind::Tcp, .port = default_port};
  if (!rest.empty() && rest.back() == '/') {
    rest.remove_suffix(1);
  }
  std::string_view port;
  if (!rest.empty() && rest.front() == '[') {
    std::size_t close = rest.find(']');
    if (close == std::string_view::npos) {
      return bad(whole, "missing ]");
    }
    address.host = rest.substr(1, close - 1);
    port = rest.substr(close + 1);
  } else {
    std::size_t colon = rest.find(':');
    address.host = rest.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon);
  }
  if (address.host.find_first_of("/@? ") != std::string::npos) {
    return bad(whole, "host:port is needed");
  }
  if (address.host.empty()) {
    address.host = "localhost";
  }
  if (!port.empty()) {
    if (port.front() != ':') {
      return bad(whole, "host:port is needed");
    }
    FLO_TRY_ASSIGN(address.port, parsePort(port.substr(1), whole));
  }
  return address;
}

}  // namespace

Result<Address> Address::parse(std::string_view text, std::uint16_t default_port) {
  std::string_view rest = text;
  if (text.find('\0') != std::string_view::npos) {
    return bad(text.substr(0, text.find('\0')), "it contains NUL");
  }
  if (takeScheme(rest, "unix")) {
    return parseUnix(rest, text);
  }
  if (takeScheme(rest, "tcp")) {
    return parseTcp(rest, text, default_port);
  }
  if (takeScheme(rest, "fd")) {
    return Address{.kind = Kind::Inherited, .host = std::string(rest)};
  }
  return bad(text, "unix://, tcp:// or fd:// is needed");
}

std::string Address::toString() const {
  switch (kind) {
    case Kind::Unix:
      return "unix://" + path;
    case Kind::Tcp:
      return host.find(':') == std::string::npos ? fmt::format("tcp://{}:{}", host, port)
                                                 : fmt::format("tcp://[{}]:{}", host, port);
    case Kind::Inherited:
      return "fd://" + host;
  }
  return {};
}

}  // namespace flotilla::net
