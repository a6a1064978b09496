#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::net {

/// Where to listen or connect. A value.
struct Address {
  enum class Kind {
    Unix,       // path
    Tcp,        // host, port
    Inherited,  // a socket passed by the service manager; `host` is its name, "" for all
  };

  Kind kind = Kind::Unix;
  std::string path = {};
  std::string host = {};
  std::uint16_t port = 0;

  /// "unix:///run/x.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:2375", "fd://", "fd://name"; the
  /// slashes after "unix:" and "tcp:" may be left out. No port is `default_port`, no host is
  /// "localhost" (never all interfaces by omission). Errors: InvalidArgument naming the text.
  static Result<Address> parse(std::string_view text, std::uint16_t default_port = 2375);

  /// In the form with slashes.
  [[nodiscard]] std::string toString() const;
};

}  // namespace flotilla::net
