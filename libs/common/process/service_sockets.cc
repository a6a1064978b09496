#include "common/process/service_sockets.h"

#include <utility>

#include "common/net/address.h"
#include "common/net/socket.h"
#include "common/process/systemd.h"

namespace flotilla::process {
namespace {

bool isLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

Result<net::TlsContextPtr> tlsOf(const ServiceListen& listen) {
  if (listen.tls_cert.empty() && listen.tls_key.empty()) {
    return listen.tls_ca_cert.empty()
               ? Result<net::TlsContextPtr>(nullptr)
               : Error{ErrorKind::InvalidArgument, "tls needs --tlscert and --tlskey"};
  }
  return net::TlsContext::create({.cert_file = listen.tls_cert,
                                  .key_file = listen.tls_key,
                                  .ca_file = listen.tls_ca_cert,
                                  .peer_check = listen.tls_ca_cert.empty()
                                                    ? net::TlsContext::PeerCheck::None
                                                    : net::TlsContext::PeerCheck::Required});
}

}  // namespace

Result<std::vector<ServiceSocket>> bindServiceSockets(const ServiceListen& listen) {
  FLO_TRY_ASSIGN(const net::TlsContextPtr tls, tlsOf(listen));
  std::vector<ServiceSocket> sockets;
  if (listen.inherited_fd >= 0) {
    sockets.push_back({UniqueFd(listen.inherited_fd), nullptr});
  }
  auto activated = ActivatedSockets::fromServiceManager();
  for (const std::string& host : listen.hosts) {
    FLO_TRY_ASSIGN(const net::Address address, net::Address::parse(host, listen.default_port));
    if (address.kind == net::Address::Kind::Inherited) {
      for (auto& socket : activated.take(address.host)) {
        sockets.push_back({std::move(socket.fd), tls});
      }
      continue;
    }
    const bool tcp = address.kind == net::Address::Kind::Tcp;
    if (tcp && !tls && !listen.insecure_tcp && !isLoopback(address.host)) {
      return Error{ErrorKind::InvalidArgument,
                   "tcp without TLS is only for loopback addresses: give --tlscert and "
                   "--tlskey, or --insecure-tcp for " +
                       host};
    }
    FLO_TRY_ASSIGN(UniqueFd socket, net::listenOn(address));
    sockets.push_back({std::move(socket), tcp ? tls : nullptr});
  }
  if (sockets.empty()) {
    return Error{ErrorKind::InvalidArgument, "nothing to listen on"};
  }
  return sockets;
}

}  // namespace flotilla::process
