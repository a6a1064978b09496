// flotilla-registry-proxy: what hosts pull from registries goes through it and is fetched once.
#include <malloc.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <utility>

#include "common/log/log.h"
#include "common/net/socket.h"
#include "common/process/signals.h"
#include "common/process/systemd.h"
#include "registry-proxy/privileges.h"
#include "registry-proxy/proxy_options.h"

namespace flotilla::registry {
namespace {

struct Listeners {
  std::vector<std::pair<UniqueFd, net::TlsContextPtr>> sockets;
};

/// Bound while there may still be privileges for it.
Result<Listeners> bindAll(const ProxyCommand& command) {
  Listeners out;
  net::TlsContextPtr tls;
  if (!command.tls_cert.empty()) {
    FLO_TRY_ASSIGN(tls, net::TlsContext::create({.cert_file = command.tls_cert,
                                                 .key_file = command.tls_key,
                                                 .ca_file = command.tls_ca_cert,
                                                 .peer_check = command.tls_ca_cert.empty()
                                                                   ? net::TlsContext::PeerCheck::None
                                                                   : net::TlsContext::PeerCheck::Required}));
  }
  if (command.listen_fd >= 0) {
    out.sockets.emplace_back(UniqueFd(command.listen_fd), nullptr);
  }
  auto activated = process::ActivatedSockets::fromServiceManager();
  for (const std::string& host : command.hosts) {
    FLO_TRY_ASSIGN(const net::Address address, net::Address::parse(host, 5000));
    if (address.kind == net::Address::Kind::Inherited) {
      for (auto& socket : activated.take(address.host)) {
        out.sockets.emplace_back(std::move(socket.fd), tls);
      }
      continue;
    }
    FLO_TRY_ASSIGN(UniqueFd socket, net::listenOn(address));
    out.sockets.emplace_back(std::move(socket), address.kind == net::Address::Kind::Tcp ? tls : nullptr);
  }
  if (out.sockets.empty()) {
    return Error{ErrorKind::InvalidArgument, "nothing to listen on"};
  }
  return out;
}

Result<void> run(ProxyCommand command) {
  FLO_TRY_ASSIGN(Listeners listeners, bindAll(command));
  FLO_TRY(enterAsUser(command.service.cache_folder, command.user));
  command.service.cache_folder = ".";
  FLO_TRY_ASSIGN(const auto reactor, Reactor::create());
  Metrics metrics;
  FLO_TRY_ASSIGN(auto service, ProxyService::create(command.service, *reactor, metrics));
  const auto end = [&] { service->stop([&] { reactor->stop(); }); };
  FLO_TRY_ASSIGN(const auto signals, process::Signals::create(*reactor, {.terminate = end, .reload = [] {}}));
  for (auto& [socket, tls] : listeners.sockets) {
    FLO_TRY(service->serve(std::move(socket), tls));
  }
  service->onUnused(end);
  process::notifyServiceManager("READY=1");
  log::debug("registry proxy serves");
  reactor->run();
  service.reset();
  return {};
}

int mainOf(int argc, const char* const* argv) {
  ::mallopt(M_ARENA_MAX, 2);
  (void)std::signal(SIGPIPE, SIG_IGN);
  auto command = parseProxyCommand(argc, argv, std::cout);
  if (command && !*command) {
    return 0;
  }
  Result<void> done = command ? Result<void>{} : Result<void>(command.error());
  if (done) {
    log::init((*command)->log_level, (*command)->log_format);
    done = run(**std::move(command));
  }
  if (!done) {
    std::cerr << "flotilla-registry-proxy: " << done.error().message() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace flotilla::registry

int main(int argc, char** argv) { return flotilla::registry::mainOf(argc, argv); }
