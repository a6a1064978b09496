// flotilla-registry-proxy: what hosts pull from registries goes through it and is fetched once.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <utility>

#include "common/log/log.h"
#include "common/process/privileges.h"
#include "common/process/resource_limits.h"
#include "common/process/signals.h"
#include "common/process/systemd.h"
#include "registry-proxy/proxy_options.h"

namespace flotilla::registry {
namespace {

/// After the change of user, which would undo it.
Result<void> endWithParent(int parent) {
  if (parent > 0 && (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent)) {
    return Error{ErrorKind::Unavailable, "process " + std::to_string(parent) + " is gone"};
  }
  return {};
}

Result<void> run(ProxyCommand command) {
  FLO_TRY_ASSIGN(auto sockets, process::bindServiceSockets(command.listen));
  FLO_TRY(process::enterAsUser(command.service.cache_folder, command.user));
  FLO_TRY(endWithParent(command.parent));
  command.service.cache_folder = ".";
  FLO_TRY_ASSIGN(const auto reactor, Reactor::create());
  Metrics metrics;
  FLO_TRY_ASSIGN(auto service, ProxyService::create(command.service, *reactor, metrics));
  const auto end = [&] { service->stop([&] { reactor->stop(); }); };
  FLO_TRY_ASSIGN(const auto signals,
                 process::Signals::create(*reactor, {.terminate = end, .reload = [] {}}));
  for (auto& [socket, tls] : sockets) {
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
  process::limitMemory();
  (void)std::signal(SIGPIPE, SIG_IGN);
  auto command = parseProxyCommand(argc, argv, std::cout);
  if (command && !*command) {
    return 0;
  }
  Result<void> done = command ? Result<void>{} : Result<void>(command.error());
  if (done) {
    done = config::initLog((*command)->log);
  }
  if (done) {
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
