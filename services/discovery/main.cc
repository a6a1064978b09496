// flotilla-discovery: who is in which cluster.

#include <iostream>
#include <utility>

#include "common/process/privileges.h"
#include "common/process/resource_limits.h"
#include "common/process/signals.h"
#include "common/process/systemd.h"
#include "discovery/discovery_options.h"
#include "discovery/discovery_service.h"

namespace flotilla::discovery {
namespace {

Result<void> run(const DiscoveryCommand& command) {
  FLO_TRY_ASSIGN(auto sockets, process::bindServiceSockets(command.listen));
  FLO_TRY(process::enterAsUser(command.folder, command.user));
  FLO_TRY_ASSIGN(const auto reactor, Reactor::create());
  Metrics metrics;
  FLO_TRY_ASSIGN(auto service, DiscoveryService::create({.folder = "."}, *reactor, metrics));
  const auto end = [&] { service->stop([&] { reactor->stop(); }); };
  FLO_TRY_ASSIGN(const auto signals,
                 process::Signals::create(*reactor, {.terminate = end, .reload = [] {}}));
  for (auto& [socket, tls] : sockets) {
    FLO_TRY(service->serve(std::move(socket), tls));
  }
  process::notifyServiceManager("READY=1");
  log::info("discovery serves");
  reactor->run();
  service.reset();
  return {};
}

int mainOf(int argc, const char* const* argv) {
  process::limitMemory();
  auto command = parseDiscoveryCommand(argc, argv, std::cout);
  if (command && !*command) {
    return 0;
  }
  Result<void> done = command ? Result<void>{} : Result<void>(command.error());
  if (done) {
    done = config::initLog((*command)->log);
  }
  if (done) {
    done = run(**command);
  }
  if (!done) {
    std::cerr << "flotilla-discovery: " << done.error().message() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace flotilla::discovery

int main(int argc, char** argv) { return flotilla::discovery::mainOf(argc, argv); }
