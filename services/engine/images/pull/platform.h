#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// What an image is made for, in Go's words, normalised ("x86_64" is amd64, arm64/v8 is arm64). A
/// value.
struct Platform {
  std::string os, architecture, variant;

  /// "linux/arm64/v8", "linux", "arm64". What is left out is this host's.
  /// Errors: InvalidArgument in Docker's words.
  static Result<Platform> parse(std::string_view text, const Platform& host);
  static Platform normalised(std::string os, std::string architecture, std::string variant);

  /// "linux/amd64"
  [[nodiscard]] std::string text() const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

/// How well an image for `offered` serves who wants `wanted`: 0 not at all, else higher is better.
int platformMatch(const Platform& wanted, const Platform& offered);

}  // namespace flotilla::engine
