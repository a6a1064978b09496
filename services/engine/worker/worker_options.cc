#include "engine/worker/worker_options.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "common/config/daemon_config.h"

namespace flotilla::engine {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/engine.json";

void declareHost(CLI::App& app, WorkerOptions& options) {
  app.add_option("--engine-id", options.engine_id,
                 "ID of this engine; by default made once and kept in the data root");
  app.add_option("--bridge", options.bridge, "Name of the default network's bridge");
  app.add_option("--firewall-table", options.table, "Name of the nftables table");
  app.add_option("--registry-proxy", options.registry_proxy,
                 "Where the registry proxy listens that pulls go through")
      ->envname("FLOTILLA_REGISTRY_PROXY");
  app.add_option("-G,--group", options.group,
                 "Group of gateways without privileges: its members may connect to streams")
      ->envname("FLOTILLA_GROUP");
  app.add_flag(
         "--enter-host", options.enter_host,
         "For an engine in a container with the host's pids: work in the host's mount namespace, with"
         " programs copied to the data root, so that containers need nothing of the engine's")
      ->envname("FLOTILLA_ENTER_HOST");
}

void declareProcess(CLI::App& app, WorkerOptions& options) {
  app.add_option("--workers", options.workers, "Worker processes to run and supervise")
      ->check(CLI::Range(1, 64));
  app.add_option("--drain", options.drain_seconds,
                 "Seconds running jobs have to finish after SIGTERM")
      ->check(CLI::Range(0, 3600));
  app.add_option(
         "--metrics", options.metrics_address,
         "Address of /metrics and /healthz: tcp://127.0.0.1:9324 (the first free one of 16 ports) or"
         " unix:///path (worker N of several: .N behind it). With --tlscert tcp is mutual TLS")
      ->envname("FLOTILLA_METRICS");
  app.add_option("--worker-slot", options.slot)->group("")->configurable(false);
}

void declareStreams(CLI::App& app, WorkerOptions& options) {
  app.add_option(
      "--stream-listen", options.stream_listen,
      "Serve streams to gateways on other hosts at tcp://address[:port], with mutual TLS");
  app.add_option("--stream-advertise", options.stream_advertise,
                 "IP address that gateways connect to for streams");
  app.add_option("--tlscacert", options.tls_ca_cert, "The cluster's certificate authority");
  app.add_option("--tlscert", options.tls_cert, "Certificate of this engine");
  app.add_option("--tlskey", options.tls_key, "Key of that certificate");
}

void declareDiscovery(CLI::App& app, WorkerOptions& options) {
  app.add_option("--discovery", options.discovery,
                 "Where this host is announced: token://..., or as the gateway has it")
      ->envname("SWARM_DISCOVERY");
  app.add_option("--advertise", options.advertise,
                 "ip:port of this host in discovery; by default where its streams are")
      ->envname("SWARM_ADVERTISE");
  app.add_option("--heartbeat", options.heartbeat, "Period between announcements")
      ->capture_default_str();
  app.add_option("--ttl", options.ttl, "How long an announcement holds")->capture_default_str();
}

}  // namespace

Result<std::optional<WorkerOptions>> parseWorkerOptions(int argc, const char* const* argv,
                                                        std::ostream& out) {
  WorkerOptions options;
  CLI::App app("Flotilla's engine: runs the containers of one host by jobs from a queue",
               "flotilla-engine");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  declareQueue(app, options.queue);
  declareEngine(app, options);
  declareHost(app, options);
  declareProcess(app, options);
  declareStreams(app, options);
  declareDiscovery(app, options);
  config::declareLog(app, options.log);
  FLO_TRY_ASSIGN(const auto outcome,
                 config::parse(app, argc, argv, out, [&options]() -> Result<void> {
                   FLO_TRY(queueOptions(options.queue));
                   return finishEngine(options);
                 }));
  if (outcome == config::Outcome::Done) {
    return std::optional<WorkerOptions>{};
  }
  return std::optional<WorkerOptions>{std::move(options)};
}

}  // namespace flotilla::engine
