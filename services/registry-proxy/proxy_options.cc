#include "registry-proxy/proxy_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "common/config/daemon_config.h"
#include "common/process/service_options.h"

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
  int idle_exit = 0;
  CLI::App app("Caches what hosts pull from registries", "flotilla-registry-proxy");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  process::declareListen(app, command.listen, "FLOTILLA_REGISTRY_PROXY_HOSTS");
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
  config::declareLog(app, command.log);
  FLO_TRY_ASSIGN(const auto outcome, config::parse(app, argc, argv, out));
  if (outcome == config::Outcome::Done) {
    return std::optional<ProxyCommand>{};
  }
  if (command.listen.hosts.empty() && command.listen.inherited_fd < 0) {
    command.listen.hosts = {kDefaultHost};
  }
  command.service.idle_exit = std::chrono::seconds(idle_exit);
  return std::optional<ProxyCommand>{std::move(command)};
}

}  // namespace flotilla::registry
