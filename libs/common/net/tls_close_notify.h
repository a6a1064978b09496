#pragma once

#include <openssl/ssl.h>

#include <memory>

#include "common/event/reactor.h"
#include "common/os/unique_fd.h"

namespace flotilla::net {

struct TlsSessionDeleter {
  void operator()(SSL* session) const { SSL_free(session); }
};
using TlsSession = std::unique_ptr<SSL, TlsSessionDeleter>;

/// Tells the peer that nothing more follows (RFC 8446, 6.1): without it, an end looks like a cut.
/// False when the socket is full: to be called again when there is room.
bool sendCloseNotify(SSL* session);

/// Keeps a session that was closed when its socket was full until that is told, for 10 s at most.
/// On the reactor's thread.
void sendCloseNotifyLater(Reactor& reactor, UniqueFd socket, TlsSession session);

}  // namespace flotilla::net
