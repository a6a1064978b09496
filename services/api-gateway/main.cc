// flotilla-api-gateway: the Docker API in front of engines that are reached through a job queue:
// one engine, or all that discovery lists as one.

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "api-gateway/cluster/cluster_endpoint.h"
#include "api-gateway/cluster/queue_engine.h"
#include "api-gateway/config/gateway_process.h"
#include "common/config/daemon_config.h"
#include "common/config/log_settings.h"
#include "common/process/pid_file.h"
#include "common/process/resource_limits.h"
#include "common/process/signals.h"
#include "common/queue/queue_settings.h"

namespace flotilla::gateway {
namespace {

constexpr const char* kConfigFile = "/etc/flotilla/gateway.json";

struct ProgramOptions : GatewaySettings {
  QueueSettings queue;
  std::string engine;  // the only one, "" with discovery
  ClusterSettings cluster;
  std::string exec_root = "/run/flotilla-gateway";
  config::LogSettings log;
};

/// What must be right before anything is begun; --validate approves nothing else.
Result<void> finish(ProgramOptions& options) {
  FLO_TRY(finishGateway(options));
  FLO_TRY(queueOptions(options.queue));
  if (options.engine.empty() == options.cluster.discovery.empty()) {
    return Error{ErrorKind::InvalidArgument,
                 "either --engine (one host) or --discovery (a cluster) is needed"};
  }
  FLO_TRY(checkClusterSettings(options.cluster));
  return {};
}

/// Nothing to run when --help, --version or --validate was answered.
Result<std::optional<ProgramOptions>> parseOptions(int argc, const char* const* argv) {
  ProgramOptions options;
  CLI::App app("The Docker Engine API in front of Flotilla's engines", "flotilla-api-gateway");
  app.set_version_flag("-v,--version", "Flotilla version " FLO_VERSION);
  config::useDaemonJson(app, kConfigFile);
  declareGateway(app, options);
  declareQueue(app, options.queue);
  app.add_option("--engine", options.engine,
                 "ID of the engine that does the jobs; without --discovery")
      ->envname("FLOTILLA_ENGINE");
  declareCluster(app, options.cluster);
  app.add_option("--exec-root", options.exec_root,
                 "Folder of the sockets where the gateway merges streams")
      ->envname("FLOTILLA_GATEWAY_RUN")
      ->capture_default_str();
  config::declareLog(app, options.log);
  FLO_TRY_ASSIGN(const auto outcome,
                 config::parse(app, argc, argv, std::cout, [&options] { return finish(options); }));
  if (outcome == config::Outcome::Done) {
    return std::optional<ProgramOptions>{};
  }
  return std::optional<ProgramOptions>{std::move(options)};
}

class Program {
 public:
  explicit Program(const ProgramOptions& options) : options_(options) {}

  Result<void> run() {
    FLO_TRY_ASSIGN(auto queue_options, queueOptions(options_.queue));
    queue_options.metrics = &metrics_;
    std::optional<process::PidFile> pid_file;
    if (!options_.pid_file.empty()) {
      FLO_TRY_ASSIGN(auto written, process::PidFile::create(options_.pid_file));
      pid_file.emplace(std::move(written));
    }
    FLO_TRY_ASSIGN(reactor_, Reactor::create());
    const RedisTarget redis = queue_options.target;
    RedisQueue queue(*reactor_, std::move(queue_options));
    QueueEngine engine(queue, options_.engine);
    std::unique_ptr<ClusterEndpoint> cluster;
    if (options_.engine.empty()) {
      FLO_TRY_ASSIGN(cluster,
                     ClusterEndpoint::create(options_.cluster, redis, options_.queue.cluster,
                                             options_.exec_root, *reactor_, queue));
    }
    EngineClient& client = cluster ? cluster->client() : engine;
    GatewayOptions gateway = gatewayOptions(options_);
    FLO_TRY_ASSIGN(gateway.api.stream_tls, clusterTls(options_.cluster));
    FLO_TRY_ASSIGN(gateway_,
                   GatewayService::create(std::move(gateway), *reactor_, client, metrics_));
    FLO_TRY_ASSIGN(const auto signals,
                   process::Signals::create(
                       *reactor_, {.terminate = [this] { terminate(); }, .reload = [] {}}));
    FLO_TRY(gateway_->listen([this](const Error& error) {
      failure_ = error;
      terminate();
    }));
    // Engines and queue may be away: that is an answer (503), not a reason to wait (decisions.md
    // 21).
    if (cluster) {
      cluster->start([this] { beginService(*gateway_, options_); });
    } else {
      beginService(*gateway_, options_);
    }
    reactor_->run();
    gateway_.reset();
    return failure_ ? Result<void>{*failure_} : Result<void>{};
  }

 private:
  void terminate() { endService(*gateway_, *reactor_, options_); }

  const ProgramOptions& options_;
  Metrics metrics_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<GatewayService> gateway_;
  std::optional<Error> failure_;
};

Result<void> mainOf(int argc, const char* const* argv) {
  process::limitMemory();
  FLO_TRY_ASSIGN(const auto options, parseOptions(argc, argv));
  if (!options) {
    return {};
  }
  FLO_TRY(config::initLog(options->log));
  process::raiseDescriptorLimit();
  return Program(*options).run();
}

}  // namespace
}  // namespace flotilla::gateway

int main(int argc, char** argv) {
  const auto done = flotilla::gateway::mainOf(argc, argv);
  if (!done) {
    std::cerr << "flotilla-api-gateway: " << done.error().message() << '\n';
    return 1;
  }
  return 0;
}
