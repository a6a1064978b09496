#include "common/testing/certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "common/os/random.h"

namespace flotilla::testing {
namespace {

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FileCloser {
  void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
};
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;
using Certificate = std::unique_ptr<X509, CertificateDeleter>;
using File = std::unique_ptr<std::FILE, FileCloser>;

void addExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) {
    std::abort();
  }
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Certificate makeCertificate(const std::string& name, EVP_PKEY* key, long serial) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24L * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return certificate;
}

void write(const std::string& path, X509* certificate, EVP_PKEY* key) {
  File file(std::fopen(path.c_str(), "we"));
  if (!file || (certificate != nullptr && PEM_write_X509(file.get(), certificate) != 1) ||
      (key != nullptr &&
       PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)) {
    std::abort();
  }
}

}  // namespace

struct Certificates::Authority {
  Key key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  Certificate certificate;
  long next_serial = 2;
};

Certificates::Certificates()
    : folder_(std::filesystem::temp_directory_path() / ("flotilla-certs-" + randomHex(6))),
      authority_(std::make_unique<Authority>()) {
  std::filesystem::create_directories(folder_);
  authority_->certificate = makeCertificate("test authority", authority_->key.get(), 1);
  X509* certificate = authority_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  addExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  addExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign");
  X509_sign(certificate, authority_->key.get(), EVP_sha256());
  write(caFile(), certificate, nullptr);
}

Certificates::~Certificates() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Certificates::Identity Certificates::issue(const std::string& name) {
  Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  Certificate certificate = makeCertificate(name, key.get(), authority_->next_serial++);
  X509* issuer = authority_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  addExtension(certificate.get(), issuer, NID_subject_alt_name,
               "DNS:localhost,IP:127.0.0.1,IP:::1");
  X509_sign(certificate.get(), authority_->key.get(), EVP_sha256());
  Identity identity{.cert_file = folder_ + "/" + name + ".pem",
                    .key_file = folder_ + "/" + name + "-key.pem"};
  write(identity.cert_file, certificate.get(), nullptr);
  write(identity.key_file, nullptr, key.get());
  return identity;
}

}  // namespace flotilla::testing
