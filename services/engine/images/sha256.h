#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct evp_md_ctx_st;

namespace flotilla::engine {

/// A running SHA-256. One thread at a time.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, std::size_t size);
  void update(std::string_view data) { update(data.data(), data.size()); }
  /// 64 lower-case hex digits; the object is done afterwards.
  [[nodiscard]] std::string finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Hex SHA-256 of `data`.
std::string sha256Hex(std::string_view data);

/// "sha256:" + 64 lower-case hex digits: the only digests this engine stores.
bool isSha256Digest(std::string_view text);
/// The 64 hex digits of a digest that isSha256Digest().
inline std::string_view digestHex(std::string_view digest) { return digest.substr(7); }

}  // namespace flotilla::engine
