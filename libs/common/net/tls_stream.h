#pragma once

#include <chrono>
#include <string>

#include "common/event/reactor.h"
#include "common/net/stream.h"
#include "common/net/tls_context.h"
#include "common/os/unique_fd.h"

namespace flotilla::net {

struct TlsStreamOptions {
  TlsContextPtr context;
  std::string server_name = {};  // client: the host name or IP literal the certificate must bear
  std::chrono::milliseconds handshake_timeout{10'000};
};

/// A TLS session over a connected, non-blocking socket; the context's role decides the side. The
/// handshake starts at once; until it is done nothing is readable and writes take nothing. A failed
/// handshake, a bad certificate and an end without close_notify show as errors of read and write.
StreamPtr makeTlsStream(Reactor& reactor, UniqueFd socket, TlsStreamOptions options);

}  // namespace flotilla::net
