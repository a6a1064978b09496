#include "discovery/discovery_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "common/config/daemon_config.h"
#include "common/process/service_options.h"

namespace flotilla::discovery {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/discovery.json";
constexpr std::uint16_t kPort = 5080;

}  // namespace

Result<std::optional<DiscoveryCommand>> parseDiscoveryCommand(int argc, const char* const* argv,
                                                              std::ostream& out) {
  DiscoveryCommand command;
  command.listen.default_port = kPort;
  CLI::App app("Tells gateways which hosts are in their cluster", "flotilla-discovery");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  process::declareListen(app, command.listen, "FLOTILLA_DISCOVERY_HOSTS");
  app.add_option("--state-folder", command.folder, "Where the state is kept");
  app.add_option("--user", command.user, "User to become when started as root");
  config::declareLog(app, command.log);
  FLO_TRY_ASSIGN(const auto outcome, config::parse(app, argc, argv, out));
  if (outcome == config::Outcome::Done) {
    return std::optional<DiscoveryCommand>{};
  }
  if (command.listen.hosts.empty()) {
    command.listen.hosts = {"tcp://127.0.0.1:" + std::to_string(kPort)};
  }
  return std::optional<DiscoveryCommand>{std::move(command)};
}

}  // namespace flotilla::discovery
