#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/error/result.h"

struct evp_md_ctx_st;

namespace flotilla {

/// A content digest as the OCI writes it: "sha256:<64 hex>" or "sha512:<128 hex>". A value.
class Digest {
 public:
  enum class Algorithm { Sha256, Sha512 };

  /// Errors: InvalidArgument for another algorithm, upper-case or missing digits.
  static Result<Digest> parse(std::string_view text);
  static bool isDigest(std::string_view text) { return parse(text).has_value(); }

  [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
  [[nodiscard]] std::string_view algorithmName() const;
  [[nodiscard]] const std::string& hex() const { return hex_; }
  [[nodiscard]] std::string text() const;

  friend auto operator<=>(const Digest&, const Digest&) = default;

 private:
  friend class Hasher;
  Digest(Algorithm algorithm, std::string hex) : algorithm_(algorithm), hex_(std::move(hex)) {}

  Algorithm algorithm_;
  std::string hex_;
};

/// A running digest. One thread at a time.
class Hasher {
 public:
  explicit Hasher(Digest::Algorithm algorithm = Digest::Algorithm::Sha256);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void update(std::string_view bytes);
  /// The object is done afterwards.
  [[nodiscard]] Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  Digest::Algorithm algorithm_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// The digest of `bytes`.
Digest digestOf(std::string_view bytes, Digest::Algorithm algorithm = Digest::Algorithm::Sha256);

}  // namespace flotilla
