#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::registry {

/// An absolute http or https URL. A value.
struct Url {
  std::string scheme;  // "http", "https"
  std::string host;    // without brackets
  std::uint16_t port = 0;
  std::string target = "/";  // path and query, as they go on the wire

  /// Errors: InvalidArgument naming the text.
  static Result<Url> parse(std::string_view text);
  /// `location` of a redirect answered by this URL: absolute, or relative to the host.
  [[nodiscard]] Result<Url> resolve(std::string_view location) const;

  [[nodiscard]] bool isTls() const { return scheme == "https"; }
  /// "host" or "host:port" where the port is not the scheme's own.
  [[nodiscard]] std::string authority() const;
  /// "https://host:port"
  [[nodiscard]] std::string origin() const { return scheme + "://" + authority(); }
  [[nodiscard]] std::string text() const { return origin() + target; }
};

}  // namespace flotilla::registry
