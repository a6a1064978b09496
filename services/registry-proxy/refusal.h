#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::registry {

/// Why a request cannot be served, as a registry tells it. A value.
struct Refusal {
  int status = 500;
  std::string code;  // of the distribution specification: "MANIFEST_UNKNOWN", ...
  std::string message;
  std::string cause = {};        // a failure below HTTP, in full, in the words dockerd has for it
  std::string retry_after = {};  // of the upstream, verbatim

  /// {"errors":[{"code","message"}]}
  [[nodiscard]] std::string body() const;

  /// What an upstream answered: its first error where the body has one, else what the status means.
  static Refusal ofAnswer(int status, std::string_view body, std::string_view retry_after);
  /// A failure to reach or to understand the upstream.
  static Refusal ofError(const Error& error);
};

/// Either of the two, without exceptions.
template <class T>
using Served = tl::expected<T, Refusal>;

}  // namespace flotilla::registry
