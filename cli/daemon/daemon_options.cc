#include "cli/daemon/daemon_options.h"

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "common/config/daemon_config.h"

namespace flotilla::daemon {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/daemon.json";
constexpr const char* kDefaultHost = "unix:///run/flotilla/flotilla.sock";

struct RawLog {
  std::string level = "info";
  std::string format = "text";
  bool debug = false;
};

void declareGateway(CLI::App& app, DaemonOptions& options) {
  app.add_option("-H,--host,--hosts", options.hosts, "Daemon socket(s) to listen on")
      ->envname("FLOTILLA_HOSTS")
      ->delimiter(',');
  app.add_option("-G,--group", options.group, "Group for the unix socket")->envname("FLOTILLA_GROUP");
  app.add_option("-p,--pidfile", options.pid_file, "Path to use for daemon PID file");
  app.add_flag("--tls", options.tls, "Use TLS; implied by --tlsverify");
  app.add_flag("--tlsverify", options.tls_verify, "Use TLS and verify the remote")
      ->envname("FLOTILLA_TLS_VERIFY");
  app.add_option("--tlscacert", options.tls_ca_cert, "Trust certs signed only by this CA");
  app.add_option("--tlscert", options.tls_cert, "Path to TLS certificate file");
  app.add_option("--tlskey", options.tls_key, "Path to TLS key file");
  app.add_option("--api-cors-header", options.api_cors_header,
                 "Set CORS headers in the Engine API; the origin that may use plain tcp");
  app.add_flag("--insecure-tcp", options.insecure_tcp,
               "Allow tcp without TLS on addresses other hosts reach");
  app.add_flag("--access-log", options.access_log, "Log every request");
  app.add_option("--shutdown-timeout", options.shutdown_timeout,
                 "Seconds running requests have to finish")
      ->check(CLI::Range(0, 3600));
}

void declareEngine(CLI::App& app, DaemonOptions& options) {
  app.add_option("--data-root", options.data_root, "Root directory of persistent state")
      ->envname("FLOTILLA_DATA_ROOT");
  app.add_option("--exec-root", options.exec_root, "Root directory for execution state files")
      ->envname("FLOTILLA_EXEC_ROOT");
  app.add_option("--name", options.name, "Name of the engine, the host's by default");
  app.add_option("--label,--labels", options.labels, "Set key=value labels to the daemon");
  app.add_option("--bip", options.bip, "IP address and netmask of the default bridge, in CIDR notation");
}

void declareRegistries(CLI::App& app, DaemonOptions& options) {
  app.add_option("--registry-mirror,--registry-mirrors", options.registry_mirrors, "Preferred registry mirror");
  app.add_option("--insecure-registry,--insecure-registries", options.insecure_registries,
                 "Registries (names or networks) that need no TLS or right certificate");
  app.add_option("--registry-proxy", options.registry_proxy, "Pull through this registry proxy, not through one's own");
  app.add_option("--registry-proxy-user", options.registry_proxy_user, "User that the own registry proxy runs as");
  app.add_option("--registry-cache-size", options.registry_cache_size,
                 "What the own registry proxy keeps of downloads besides the images (20GiB)");
  app.add_option("--max-concurrent-downloads", options.max_concurrent_downloads, "Layers downloaded at a time")
      ->check(CLI::Range(1, 100));
  app.add_option("--max-download-attempts", options.max_download_attempts, "Attempts at each layer of a pull")
      ->check(CLI::Range(1, 100));
}

void declareLog(CLI::App& app, RawLog& raw) {
  app.add_option("-l,--log-level", raw.level, "Log level: debug, info, warn, error")
      ->envname("FLOTILLA_LOG_LEVEL");
  app.add_option("--log-format", raw.format, "Log format: text, json")->envname("FLOTILLA_LOG_FORMAT");
  app.add_flag("-D,--debug", raw.debug, "Enable debug mode");
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

Result<void> checkTls(DaemonOptions& options) {
  options.tls = options.tls || options.tls_verify;
  if (options.tls && (options.tls_cert.empty() || options.tls_key.empty())) {
    return Error{ErrorKind::InvalidArgument, "tls needs --tlscert and --tlskey"};
  }
  if (options.tls_verify && options.tls_ca_cert.empty()) {
    return Error{ErrorKind::InvalidArgument, "tlsverify needs --tlscacert"};
  }
  return {};
}

/// Defaults and checks that need more than one option.
Result<void> finish(DaemonOptions& options, const RawLog& raw) {
  if (options.hosts.empty()) {
    options.hosts = {kDefaultHost};
  }
  if (options.pid_file.empty()) {
    options.pid_file = options.exec_root + "/flotilla.pid";
  }
  FLO_TRY_ASSIGN(options.log_level, log::parseLevel(raw.debug ? "debug" : raw.level));
  FLO_TRY_ASSIGN(options.log_format, log::parseFormat(raw.format));
  FLO_TRY(checkLabels(options.labels));
  return checkTls(options);
}

}  // namespace

Result<std::optional<DaemonOptions>> parseDaemonOptions(int argc, const char* const* argv,
                                                        std::ostream& out) {
  DaemonOptions options;
  RawLog raw;
  CLI::App app("A container platform speaking the Docker Engine API", "flotilla daemon");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  declareGateway(app, options);
  declareEngine(app, options);
  declareRegistries(app, options);
  declareLog(app, raw);
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
