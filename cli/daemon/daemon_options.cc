#include "cli/daemon/daemon_options.h"

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "common/config/daemon_config.h"
#include "common/config/log_settings.h"

namespace flotilla::daemon {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/daemon.json";

void declareRegistries(CLI::App& app, DaemonOptions& options) {
  app.add_option("--registry-mirror,--registry-mirrors", options.registry_mirrors,
                 "Preferred registry mirror");
  app.add_option("--insecure-registry,--insecure-registries", options.insecure_registries,
                 "Registries (names or networks) that need no TLS or right certificate");
  app.add_option("--registry-proxy", options.registry_proxy,
                 "Pull through this registry proxy, not through one's own");
  app.add_option("--registry-proxy-user", options.registry_proxy_user,
                 "User that the own registry proxy runs as");
  app.add_option("--registry-cache-size", options.registry_cache_size,
                 "What the own registry proxy keeps of downloads besides the images (20GiB)");
}

/// Defaults and checks that need more than one option.
Result<void> finish(DaemonOptions& options, const config::LogSettings& log) {
  if (options.pid_file.empty()) {
    options.pid_file = options.exec_root + "/flotilla.pid";
  }
  FLO_TRY_ASSIGN(options.log_level, log::parseLevel(log.debug ? "debug" : log.level));
  FLO_TRY_ASSIGN(options.log_format, log::parseFormat(log.format));
  FLO_TRY(engine::finishEngine(options));
  return gateway::finishGateway(options);
}

}  // namespace

Result<std::optional<DaemonOptions>> parseDaemonOptions(int argc, const char* const* argv,
                                                        std::ostream& out) {
  DaemonOptions options;
  config::LogSettings raw;
  CLI::App app("A container platform speaking the Docker Engine API", "flotilla daemon");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  gateway::declareGateway(app, options);
  engine::declareEngine(app, options);
  declareRegistries(app, options);
  config::declareLog(app, raw);
  FLO_TRY_ASSIGN(const auto outcome, config::parse(app, argc, argv, out, [&options, &raw] {
                   return finish(options, raw);
                 }));
  if (outcome == config::Outcome::Done) {
    return std::optional<DaemonOptions>{};
  }
  return std::optional<DaemonOptions>{std::move(options)};
}

}  // namespace flotilla::daemon
