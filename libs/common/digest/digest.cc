#include "common/digest/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace flotilla {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

struct Kind {
  std::string_view name;
  Digest::Algorithm algorithm;
  std::size_t hex_size;
};
constexpr std::array kKinds = {Kind{"sha256", Digest::Algorithm::Sha256, 64},
                               Kind{"sha512", Digest::Algorithm::Sha512, 128}};

/// OpenSSL fails here only without memory.
void require(int done) {
  if (done != 1) {
    std::abort();
  }
}

const EVP_MD* implementation(Digest::Algorithm algorithm) {
  return algorithm == Digest::Algorithm::Sha256 ? EVP_sha256() : EVP_sha512();
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  for (const Kind& kind : kKinds) {
    if (text.substr(0, colon) != kind.name || colon == std::string_view::npos) {
      continue;
    }
    const std::string_view hex = text.substr(colon + 1);
    if (hex.size() == kind.hex_size && std::all_of(hex.begin(), hex.end(), [](char c) {
          return kHexDigits.find(c) != std::string_view::npos;
        })) {
      return Digest(kind.algorithm, std::string(hex));
    }
  }
  return Error{ErrorKind::InvalidArgument,
               "invalid digest \"" + std::string(text.substr(0, 160)) + "\""};
}

std::string_view Digest::algorithmName() const {
  return algorithm_ == Algorithm::Sha256 ? kKinds[0].name : kKinds[1].name;
}

std::string Digest::text() const { return std::string(algorithmName()) + ":" + hex_; }

void Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Hasher::Hasher(Digest::Algorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  require(EVP_DigestInit_ex(context_.get(), implementation(algorithm), nullptr));
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::string_view bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()));
}

Digest Hasher::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned size = 0;
  require(EVP_DigestFinal_ex(context_.get(), raw.data(), &size));
  std::string hex;
  hex.reserve(std::size_t{size} * 2);
  for (unsigned i = 0; i < size; ++i) {
    hex += kHexDigits[raw[i] >> 4U];
    hex += kHexDigits[raw[i] & 15U];
  }
  return Digest(algorithm_, std::move(hex));
}

Digest digestOf(std::string_view bytes, Digest::Algorithm algorithm) {
  Hasher hasher(algorithm);
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace flotilla
