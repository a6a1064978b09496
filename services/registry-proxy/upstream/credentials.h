#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::registry {

/// What a client shows to a registry. A value; never logged.
struct Credentials {
  std::string user, password;
  std::string identity_token;  // exchanged for access tokens
  std::string registry_token;  // an access token itself

  [[nodiscard]] bool empty() const {
    return user.empty() && password.empty() && identity_token.empty() && registry_token.empty();
  }
  /// Tells callers apart without keeping their secrets: a digest, "" for nobody in particular.
  [[nodiscard]] std::string fingerprint() const;
  /// "Basic ...", of user and password.
  [[nodiscard]] std::string basic() const;

  /// Of the X-Registry-Auth header: base64url of a JSON object. Like dockerd, nothing usable in it
  /// means no credentials.
  static Credentials fromRegistryAuth(std::string_view header);
  /// Of an Authorization header: Basic or Bearer.
  static Credentials fromAuthorization(std::string_view header);
};

std::string encodeBase64(std::string_view bytes);
/// Both alphabets, with or without padding. Errors: InvalidArgument.
Result<std::string> decodeBase64(std::string_view text);

}  // namespace flotilla::registry
