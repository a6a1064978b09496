#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flotilla::registry {

/// What a registry wants to see, from WWW-Authenticate. A value.
struct Challenge {
  enum class Scheme { Basic, Bearer };
  Scheme scheme = Scheme::Basic;
  std::string realm, service, scope;
  std::string error;  // "insufficient_scope": the token was good, the right is missing

  /// The first scheme in the header that is known here, Bearer before Basic; nothing when none is.
  static std::optional<Challenge> parse(std::string_view header);
};

}  // namespace flotilla::registry
