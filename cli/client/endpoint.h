#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::cli {

/// Files and checks of TLS towards a daemon. Empty paths mean "not given".
struct TlsOptions {
  bool enabled = false;
  bool verify = false;
  std::string ca_cert{};
  std::string cert{};
  std::string key{};
};

/// Where a daemon listens: a unix socket path, or a TCP host and port.
struct Endpoint {
  enum class Kind { Unix, Tcp };
  Kind kind = Kind::Unix;
  std::string path;  ///< unix socket path
  std::string host;  ///< TCP host, without the brackets of an IPv6 literal
  int port = 0;
  TlsOptions tls;

  /// As the user would write it: "unix:///path" or "tcp://host:port".
  [[nodiscard]] std::string text() const;
  /// The value of a request's Host header.
  [[nodiscard]] std::string hostHeader() const;

  /// Understands unix://PATH, a bare absolute PATH, and tcp://HOST[:PORT] (2375, or 2376 with TLS).
  /// Errors: InvalidArgument for anything else.
  static Result<Endpoint> parse(std::string_view text, TlsOptions tls = {});
};

}  // namespace flotilla::cli
