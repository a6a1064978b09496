#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla {

/// How a discovery service is spoken to.
struct TokenOptions {
  std::string ca_file = {};                   // PEM; "" means the system's
  std::string cert_file = {}, key_file = {};  // for a service that asks for them
  std::chrono::seconds timeout{10};
};

/// The token protocol of Docker Swarm classic's discovery service. Blocks; thread-safe. Errors:
/// Unavailable with a message for the user.
class TokenClient {
 public:
  /// `rest` is what follows "token://": "host[:port]/base/TOKEN"; `scheme` "token" is HTTPS,
  /// "token+http" plain HTTP. Errors: InvalidArgument ("token is empty", no host).
  static Result<TokenClient> parse(std::string_view scheme, std::string_view rest,
                                   TokenOptions options);
  /// A new cluster's token. `service`: "https://host[:port]/base" or "http://...".
  static Result<std::string> create(std::string_view service, const TokenOptions& options);

  Result<std::vector<std::string>> list() const;
  Result<void> announce(const std::string& entry, std::chrono::seconds ttl) const;

 private:
  TokenClient(std::string origin, std::string path, TokenOptions options)
      : origin_(std::move(origin)), path_(std::move(path)), options_(std::move(options)) {}

  std::string origin_;  // "https://host:port"
  std::string path_;    // "/base/clusters/TOKEN"
  TokenOptions options_;
};

}  // namespace flotilla
