#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/exchange.h"
#include "registry-proxy/refusal.h"
#include "registry-proxy/upstream/credentials.h"

namespace flotilla::registry {

/// A request of the distribution API, checked. A value.
struct RegistryRequest {
  enum class Kind { Ping, Manifest, Blob, Tags };
  Kind kind = Kind::Ping;
  std::string registry;  // "docker.io" unless ?ns= names another
  std::string repository;
  std::string reference;  // tag or digest, a blob's digest
  Credentials credentials;

  /// Errors: the distribution specification's (NAME_INVALID, DIGEST_INVALID, 404 for other paths).
  static Served<RegistryRequest> parse(const http::Request& request);
};

/// A part of a blob that a Range header asks for.
struct ByteRange {
  struct Bounds {
    std::uint64_t first = 0;
    std::uint64_t end = 0;  // beyond the last
  };
  std::uint64_t first = 0;
  std::optional<std::uint64_t> last = {};    // inclusive
  std::optional<std::uint64_t> suffix = {};  // the last so many bytes, instead of the two above

  /// Nothing for headers that are to be ignored: other units, lists, nonsense.
  static std::optional<ByteRange> parse(std::string_view header);
  /// Of a content of `size` bytes; nothing when it has none of them (416).
  [[nodiscard]] std::optional<Bounds> within(std::uint64_t size) const;
};

}  // namespace flotilla::registry
