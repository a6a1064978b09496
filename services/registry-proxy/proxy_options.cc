#include "registry-proxy/proxy_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "common/config/daemon_config.h"

namespace flotilla::registry {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/registry-proxy.json";
constexpr const char* kDefaultHost = "unix:///run/flotilla/registry-proxy.sock";
constexpr std::uint16_t kPort = 5000;
constexpr std::uint64_t kDefaultSize = std::uint64_t{20} << 30U;

}  // namespace

Result<std::optional<ProxyCommand>> parseProxyCommand(int argc, const char* const* argv,
                                                      std::ostream& out) {
  ProxyCommand command;
  command.listen.default_port = kPort;
  command.service.cache_folder = "/var/lib/flotilla-registry-proxy";
  command.service.cache_size = kDefaultSize;
  std::string level = "info";
  std::string format = "text";
  int idle_exit = 0;
  CLI::App app("Caches what hosts pull from registries", "flotilla-registry-proxy");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  app.add_option("-H,--host,--hosts", command.listen.hosts,
                 "Socket(s) to listen on: unix://, tcp://, fd://")
      ->envname("FLOTILLA_REGISTRY_PROXY_HOSTS")
      ->delimiter(',');
  app.add_option("--listen-fd", command.listen.inherited_fd,
                 "An inherited listening socket to serve instead");
  app.add_option("--parent", command.parent,
                 "End when this process, the one that started it, ends");
  app.add_option("--cache-folder", command.service.cache_folder, "Where blobs are kept");
  app.add_option(
         "--cache-size", command.service.cache_size,
         "How much of them, in bytes or with a unit (20GiB); 0 keeps nothing that is complete")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--registry-mirror,--registry-mirrors", command.service.mirrors,
                 "Mirrors of Docker Hub, tried first");
  app.add_option("--insecure-registry,--insecure-registries", command.service.insecure,
                 "Registries (names or networks) that need no TLS or right certificate");
  app.add_option("--certs-folder,--certs-folders", command.service.certificate_folders,
                 "Folders with <registry>/*.crt, *.cert and *.key");
  app.add_option("--user", command.user, "User to become when started as root");
  app.add_option("--idle-exit", idle_exit,
                 "Seconds without a connection after which to end; 0: never")
      ->check(CLI::Range(0, 86'400));
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
    return std::optional<ProxyCommand>{};
  }
  FLO_TRY_ASSIGN(command.log_level, log::parseLevel(level));
  FLO_TRY_ASSIGN(command.log_format, log::parseFormat(format));
  if (command.listen.hosts.empty() && command.listen.inherited_fd < 0) {
    command.listen.hosts = {kDefaultHost};
  }
  command.service.idle_exit = std::chrono::seconds(idle_exit);
  return std::optional<ProxyCommand>{std::move(command)};
}

}  // namespace flotilla::registry
