#pragma once

#include <memory>
#include <string>

#include "common/error/result.h"

struct ssl_ctx_st;

namespace flotilla::net {

/// Keys, certificates and rules of TLS sessions (TLS 1.2 and later). Immutable and thread-safe once
/// made; new files mean a new context, running sessions keep the old one alive.
class TlsContext {
 public:
  enum class Role { Server, Client };
  enum class PeerCheck {
    None,      // server: no client certificate asked; client: any server is believed
    Required,  // the peer's certificate must chain to ca_file (client: and name the server)
  };

  struct Options {
    Role role = Role::Server;
    std::string cert_file = {};  // PEM chain; required for a server
    std::string key_file = {};
    std::string ca_file = {};  // PEM; for PeerCheck::Required, "" means the system's for a client
    PeerCheck peer_check = PeerCheck::None;
  };

  /// Errors: InvalidArgument naming the file and what is wrong with it.
  static Result<std::shared_ptr<const TlsContext>> create(const Options& options);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] PeerCheck peerCheck() const { return peer_check_; }
  /// For tls_stream.cc.
  [[nodiscard]] ssl_ctx_st* native() const { return context_; }

 private:
  TlsContext(ssl_ctx_st* context, const Options& options)
      : context_(context), role_(options.role), peer_check_(options.peer_check) {}

  ssl_ctx_st* context_;
  Role role_;
  PeerCheck peer_check_;
};

using TlsContextPtr = std::shared_ptr<const TlsContext>;

/// The oldest entry of OpenSSL's error queue of this thread as text; empties the queue.
std::string takeTlsError();

}  // namespace flotilla::net
