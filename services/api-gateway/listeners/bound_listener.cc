#include "api-gateway/listeners/bound_listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <utility>

#include "common/net/address.h"
#include "common/net/socket.h"
#include "common/process/privileges.h"

namespace flotilla::gateway {
namespace {

constexpr std::uint16_t kPlainPort = 2375;
constexpr std::uint16_t kTlsPort = 2376;

Result<std::optional<gid_t>> socketGroup(const std::string& group) {
  if (group.empty()) {
    return std::optional<gid_t>{};
  }
  FLO_TRY_ASSIGN(const gid_t found, process::findGroup(group));
  return std::optional<gid_t>{found};
}

bool isLoopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

/// Decides how exposed a bound socket is. Errors: InvalidArgument when it may not be so exposed.
Result<BoundListener> assess(UniqueFd fd, std::string name, const BindOptions& options) {
  FLO_TRY_ASSIGN(const net::Address bound, net::localAddress(fd.get()));
  BoundListener listener;
  listener.is_tcp = bound.kind == net::Address::Kind::Tcp;
  if (listener.is_tcp && !options.tls) {
    if (!options.insecure_tcp && !isLoopback(bound.host)) {
      return Error{ErrorKind::InvalidArgument,
                   name +
                       " without TLS would make everyone who reaches it root on this host: use "
                       "--tlsverify, or --insecure-tcp to do it nevertheless"};
    }
    listener.exposure = Exposure::PlainTcp;
  }
  listener.fd = std::move(fd);
  listener.name = std::move(name);
  return listener;
}

Result<std::vector<BoundListener>> adoptActivated(std::vector<process::ActivatedSocket> sockets,
                                                  const BindOptions& options) {
  std::vector<BoundListener> listeners;
  for (auto& socket : sockets) {
    const int flags = ::fcntl(socket.fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
      return sysError("activated descriptor " + socket.name, errno);
    }
    FLO_TRY_ASSIGN(auto listener, assess(std::move(socket.fd), "fd://" + socket.name, options));
    listeners.push_back(std::move(listener));
  }
  if (listeners.empty()) {
    return Error{ErrorKind::NotFound,
                 "no sockets found via socket activation: make sure the service was started by "
                 "systemd"};
  }
  return listeners;
}

}  // namespace

Result<std::vector<BoundListener>> bindListeners(const std::string& host,
                                                 const BindOptions& options,
                                                 process::ActivatedSockets& activated) {
  FLO_TRY_ASSIGN(const net::Address address,
                 net::Address::parse(host, options.tls ? kTlsPort : kPlainPort));
  if (address.kind == net::Address::Kind::Inherited) {
    return adoptActivated(activated.take(address.host), options);
  }
  FLO_TRY_ASSIGN(const auto group, socketGroup(options.group));
  FLO_TRY_ASSIGN(UniqueFd fd, net::listenOn(address, {.mode = options.mode, .group = group}));
  FLO_TRY_ASSIGN(auto listener, assess(std::move(fd), address.toString(), options));
  listener.socket_path = address.path;
  std::vector<BoundListener> listeners;
  listeners.push_back(std::move(listener));
  return listeners;
}

}  // namespace flotilla::gateway
