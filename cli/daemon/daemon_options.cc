#include "cli/daemon/daemon_options.h"

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "common/config/daemon_config.h"
#include "common/config/log_settings.h"

namespace flotilla::daemon {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/daemon.json";

void declareEngine(CLI::App& app, DaemonOptions& options) {
  app.add_option("--data-root", options.data_root, "Root directory of persistent state")
      ->envname("FLOTILLA_DATA_ROOT");
  app.add_option("--exec-root", options.exec_root, "Root directory for execution state files")
      ->envname("FLOTILLA_EXEC_ROOT");
  app.add_option("--name", options.name, "Name of the engine, the host's by default");
  app.add_option("--label,--labels", options.labels, "Set key=value labels to the daemon");
  app.add_option("--bip", options.bip,
                 "IP address and netmask of the default bridge, in CIDR notation");
}

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
  app.add_option("--max-concurrent-downloads", options.max_concurrent_downloads,
                 "Layers downloaded at a time")
      ->check(CLI::Range(1, 100));
  app.add_option("--max-download-attempts", options.max_download_attempts,
                 "Attempts at each layer of a pull")
      ->check(CLI::Range(1, 100));
}

Result<void> checkLabels(const std::vector<std::string>& labels) {
  for (const std::string& label : labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorKind::InvalidArgument, "bad attribute format: " + label};
    }
  }
  return {};
}

/// Defaults and checks that need more than one option.
Result<void> finish(DaemonOptions& options, const config::LogSettings& log) {
  if (options.pid_file.empty()) {
    options.pid_file = options.exec_root + "/flotilla.pid";
  }
  FLO_TRY_ASSIGN(options.log_level, log::parseLevel(log.debug ? "debug" : log.level));
  FLO_TRY_ASSIGN(options.log_format, log::parseFormat(log.format));
  FLO_TRY(checkLabels(options.labels));
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
  declareEngine(app, options);
  declareRegistries(app, options);
  config::declareLog(app, raw);
  // Part of parsing, so that --validate sees it too; config::parse catches.
  app.final_callback([&options, &raw] {
    if (auto finished = finish(options, raw); !finished) {
      throw CLI::ValidationError(finished.error().message());
    }
  });
  FLO_TRY_ASSIGN(const auto outcome, config::parse(app, argc, argv, out));
  if (outcome == config::Outcome::Done) {
    return std::optional<DaemonOptions>{};
  }
  return std::optional<DaemonOptions>{std::move(options)};
}

}  // namespace flotilla::daemon
