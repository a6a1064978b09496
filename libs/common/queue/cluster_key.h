#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/error/result.h"

struct evp_mac_ctx_st;

namespace flotilla {

/// The secret that gateways and engines of one cluster share: a job is an order to a root process,
/// so being able to write to Redis must not be enough to give one (decisions.md 6). HMAC-SHA256.
/// Immutable, copyable, thread-safe.
class ClusterKey {
 public:
  static constexpr std::size_t kMacSize = 32;

  /// A file of at least 32 bytes, readable by its owner (and group) only. Errors: InvalidArgument
  /// naming the file.
  static Result<ClusterKey> load(const std::string& path);
  static ClusterKey fromBytes(std::string_view secret);

  /// kMacSize bytes over `purpose` and `message`; a message of one purpose never passes for
  /// another.
  [[nodiscard]] std::string sign(std::string_view purpose, std::string_view message) const;
  /// In constant time.
  [[nodiscard]] bool verify(std::string_view purpose, std::string_view message,
                            std::string_view mac) const;

 private:
  explicit ClusterKey(std::shared_ptr<evp_mac_ctx_st> keyed) : keyed_(std::move(keyed)) {}

  std::shared_ptr<evp_mac_ctx_st> keyed_;  // never used itself, only duplicated
};

}  // namespace flotilla
