#include "common/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace flotilla::net {
namespace {

constexpr std::size_t kReadAhead = 66 * 1024;  // four records of 16 KiB and their frames

Error badFile(std::string_view what, const std::string& file) {
  return {ErrorKind::InvalidArgument,
          "TLS " + std::string(what) + " " + file + ": " + takeTlsError()};
}

Result<void> loadIdentity(SSL_CTX* context, const TlsContext::Options& options) {
  if (options.cert_file.empty() && options.key_file.empty()) {
    if (options.role == TlsContext::Role::Server) {
      return Error(ErrorKind::InvalidArgument, "a TLS server needs a certificate and a key");
    }
    return {};
  }
  if (SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1) {
    return badFile("certificate", options.cert_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return badFile("key", options.key_file);
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return badFile("key (does not belong to the certificate)", options.key_file);
  }
  return {};
}

Result<void> loadTrust(SSL_CTX* context, const TlsContext::Options& options) {
  if (options.peer_check == TlsContext::PeerCheck::None) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (options.ca_file.empty()) {
    if (options.role == TlsContext::Role::Server) {
      return Error(ErrorKind::InvalidArgument, "checking client certificates needs a CA file");
    }
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    return badFile("CA file", options.ca_file);
  }
  if (options.role == TlsContext::Role::Server) {
    // Tells clients with several certificates which one to send.
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.ca_file.c_str()));
  }
  return {};
}

void setCommonRules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Several records are read by one system call; an idle session gives its buffers back.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAhead);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  static constexpr unsigned char kSessionContext[] = "flotilla";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
}

}  // namespace

Result<TlsContextPtr> TlsContext::create(const Options& options) {
  ERR_clear_error();
  SSL_CTX* native =
      SSL_CTX_new(options.role == Role::Server ? TLS_server_method() : TLS_client_method());
  if (native == nullptr) {
    return Error(ErrorKind::Internal, "TLS: " + takeTlsError());
  }
  TlsContextPtr context(new TlsContext(native, options));
  setCommonRules(native);
  FLO_TRY(loadIdentity(native, options));
  FLO_TRY(loadTrust(native, options));
  return context;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

std::string takeTlsError() {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) {
    return "unknown error";
  }
  if (ERR_SYSTEM_ERROR(code)) {
    return sysError("system", ERR_GET_REASON(code)).message();
  }
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "error " + std::to_string(code);
}

}  // namespace flotilla::net
