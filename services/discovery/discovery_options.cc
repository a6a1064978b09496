#include "discovery/discovery_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "common/config/daemon_config.h"

namespace flotilla::discovery {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/discovery.json";
constexpr std::uint16_t kPort = 5080;

}  // namespace

Result<std::optional<DiscoveryCommand>> parseDiscoveryCommand(int argc, const char* const* argv,
                                                              std::ostream& out) {
  DiscoveryCommand command;
  command.listen.default_port = kPort;
  std::string level = "info";
  std::string format = "text";
  CLI::App app("Tells gateways which hosts are in their cluster", "flotilla-discovery");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  app.add_option("-H,--host,--hosts", command.listen.hosts,
                 "Socket(s) to listen on: tcp://, unix://, fd://")
      ->envname("FLOTILLA_DISCOVERY_HOSTS")
      ->delimiter(',');
  app.add_option("--state-folder", command.folder, "Where the state is kept");
  app.add_option("--user", command.user, "User to become when started as root");
  app.add_option("--tlscacert", command.listen.tls_ca_cert,
                 "Clients need a certificate of this CA");
  app.add_option("--tlscert", command.listen.tls_cert, "Certificate of tcp listeners");
  app.add_option("--tlskey", command.listen.tls_key, "Its key");
  app.add_flag("--insecure-tcp", command.listen.insecure_tcp,
               "Allow tcp without TLS on addresses other hosts reach");
  app.add_option("-l,--log-level", level, "Log level: debug, info, warn, error");
  app.add_option("--log-format", format, "Log format: text, json");
  FLO_TRY_ASSIGN(const auto outcome, config::parse(app, argc, argv, out));
  if (outcome == config::Outcome::Done) {
    return std::optional<DiscoveryCommand>{};
  }
  FLO_TRY_ASSIGN(command.log_level, log::parseLevel(level));
  FLO_TRY_ASSIGN(command.log_format, log::parseFormat(format));
  if (command.listen.hosts.empty()) {
    command.listen.hosts = {"tcp://127.0.0.1:" + std::to_string(kPort)};
  }
  return std::optional<DiscoveryCommand>{std::move(command)};
}

}  // namespace flotilla::discovery
