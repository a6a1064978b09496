#include "cli/client/endpoint.h"

#include <charconv>

namespace flotilla::cli {
namespace {

Error badHost(std::string_view text) {
  return {ErrorKind::InvalidArgument, "unable to parse docker host `" + std::string(text) + "`"};
}

bool consume(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) {
    return false;
  }
  text.remove_prefix(prefix.size());
  return true;
}

/// Splits "host", "host:port" and "[v6]:port"; the port is empty when there is none.
bool splitHostPort(std::string_view text, std::string_view& host, std::string_view& port) {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) {
      return false;
    }
    host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    return port.empty() || consume(port, ":");
  }
  const auto colon = text.rfind(':');
  host = text.substr(0, colon);
  port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  return true;
}

}  // namespace

std::string Endpoint::text() const {
  return kind == Kind::Unix ? "unix://" + path : "tcp://" + hostHeader();
}

std::string Endpoint::hostHeader() const {
  if (kind == Kind::Unix) {
    return "flotilla";
  }
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text, TlsOptions tls) {
  Endpoint endpoint;
  endpoint.tls = std::move(tls);
  std::string_view rest = text;
  if (consume(rest, "unix://") || rest.starts_with('/')) {
    if (!rest.starts_with('/')) {
      return badHost(text);
    }
    endpoint.path = rest;
    endpoint.tls = {};
    return endpoint;
  }
  if (!consume(rest, "tcp://") && !consume(rest, "https://") && !consume(rest, "http://")) {
    return badHost(text);
  }
  rest = rest.substr(0, rest.find('/'));
  std::string_view host;
  std::string_view port;
  if (!splitHostPort(rest, host, port)) {
    return badHost(text);
  }
  endpoint.kind = Kind::Tcp;
  endpoint.host = host.empty() ? "localhost" : host;
  endpoint.port = endpoint.tls.enabled ? 2376 : 2375;
  if (!port.empty()) {
    const auto [end, failed] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (failed != std::errc{} || end != port.data() + port.size() || endpoint.port <= 0 ||
        endpoint.port > 65535) {
      return badHost(text);
    }
  }
  return endpoint;
}

}  // namespace flotilla::cli
