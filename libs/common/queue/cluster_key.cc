#include "common/queue/cluster_key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "common/os/atomic_file.h"

namespace flotilla {
namespace {

constexpr std::size_t kLeastSecret = 32;

struct MacDeleter {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
};
struct ContextDeleter {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Result<ClusterKey> ClusterKey::load(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return sysError("cluster key " + path, errno).as(ErrorKind::InvalidArgument);
  }
  if ((status.st_mode & 0007U) != 0) {
    return Error{ErrorKind::InvalidArgument,
                 "cluster key " + path + ": others may read it; make it 0600 or 0640"};
  }
  auto secret = readFile(path, 4096);
  if (!secret) {
    return std::move(secret).error().as(ErrorKind::InvalidArgument);
  }
  if (secret->size() < kLeastSecret) {
    return Error{ErrorKind::InvalidArgument, "cluster key " + path + ": shorter than 32 bytes"};
  }
  return fromBytes(*secret);
}

ClusterKey ClusterKey::fromBytes(std::string_view secret) {
  const std::unique_ptr<EVP_MAC, MacDeleter> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  std::shared_ptr<EVP_MAC_CTX> context(EVP_MAC_CTX_new(mac.get()), ContextDeleter());
  std::array<char, 7> digest = {"SHA256"};
  const std::array<OSSL_PARAM, 2> parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  EVP_MAC_init(context.get(), bytes(secret), secret.size(), parameters.data());
  return ClusterKey(std::move(context));
}

std::string ClusterKey::sign(std::string_view purpose, std::string_view message) const {
  const std::unique_ptr<EVP_MAC_CTX, ContextDeleter> context(EVP_MAC_CTX_dup(keyed_.get()));
  std::string mac(kMacSize, '\0');
  std::size_t size = 0;
  constexpr unsigned char kEnd = 0;
  EVP_MAC_update(context.get(), bytes(purpose), purpose.size());
  EVP_MAC_update(context.get(), &kEnd, 1);
  EVP_MAC_update(context.get(), bytes(message), message.size());
  EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(mac.data()), &size, mac.size());
  return mac;
}

bool ClusterKey::verify(std::string_view purpose, std::string_view message,
                        std::string_view mac) const {
  return mac.size() == kMacSize &&
         CRYPTO_memcmp(sign(purpose, message).data(), mac.data(), kMacSize) == 0;
}

}  // namespace flotilla
