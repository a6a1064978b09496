#include "cli/daemon/daemon.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "api-gateway/cluster/queue_engine.h"
#include "api-gateway/config/gateway_process.h"
#include "cli/daemon/daemon_options.h"
#include "cli/daemon/engine_host.h"
#include "cli/daemon/proxy_host.h"
#include "common/log/log.h"
#include "common/process/pid_file.h"
#include "common/process/resource_limits.h"
#include "common/process/signals.h"
#include "common/queue/memory_queue.h"

namespace flotilla::daemon {
namespace {

Result<void> makeFolder(const std::string& path, std::filesystem::perms mode) {
  std::error_code failed;
  if (std::filesystem::create_directories(path, failed)) {
    std::filesystem::permissions(path, mode, failed);
  }
  if (failed) {
    return sysError("create " + path, failed.value());
  }
  return {};
}

ProxyHostOptions proxyOptions(const DaemonOptions& options) {
  ProxyHostOptions result;
  result.socket = options.exec_root + "/registry-proxy.sock";
  result.cache_folder = options.data_root + "/registry-proxy";
  result.cache_size = options.registry_cache_size;
  result.user = options.registry_proxy_user;
  result.mirrors = options.registry_mirrors;
  result.insecure = options.insecure_registries;
  result.log_level = options.log_level == log::Level::Debug ? "debug" : "info";
  result.log_format = options.log_format == log::Format::Json ? "json" : "text";
  return result;
}

/// The services of one process and the order in which they come and go. The gateway's loop is the
/// main thread's; the engine has threads of its own.
class Daemon {
 public:
  explicit Daemon(DaemonOptions options, std::function<void()> reload)
      : options_(std::move(options)), reload_(std::move(reload)) {}

  Result<void> run() {
    FLO_TRY(prepare());
    FLO_TRY_ASSIGN(const auto pid_file, process::PidFile::create(options_.pid_file));
    FLO_TRY_ASSIGN(reactor_, Reactor::create());
    MemoryQueue queue(*reactor_);
    FLO_TRY_ASSIGN(const std::string engine_id, EngineHost::engineId(options_.data_root));
    gateway::QueueEngine cluster(queue, engine_id);
    FLO_TRY_ASSIGN(gateway_, gateway::GatewayService::create(gateway::gatewayOptions(options_),
                                                             *reactor_, cluster, metrics_));
    FLO_TRY_ASSIGN(const auto signals,
                   process::Signals::create(
                       *reactor_, {.terminate = [this] { terminate(); }, .reload = reload_}));
    FLO_TRY(gateway_->listen([this](const Error& error) { fail(error); }));
    ProxyHost proxy(proxyOptions(options_), *reactor_);
    if (options_.registry_proxy.empty()) {
      FLO_TRY(proxy.listen());
    }
    EngineHost engine({.data_root = options_.data_root,
                       .exec_root = options_.exec_root,
                       .name = options_.name,
                       .labels = options_.labels,
                       .bip = options_.bip,
                       .registry_proxy = options_.registry_proxy,
                       .max_concurrent_downloads = options_.max_concurrent_downloads,
                       .max_download_attempts = options_.max_download_attempts},
                      queue, metrics_);
    // Bound and queueing already: clients that come now wait for the engine behind the gate.
    engine.start([this](Result<void> started) {
      reactor_->post([this, started = std::move(started)] { engineStarted(started); });
    });
    reactor_->run();
    engine.stop();
    gateway_.reset();
    if (failure_) {
      return *std::move(failure_);
    }
    log::info("daemon stopped");
    return {};
  }

 private:
  Result<void> prepare() const {
    using std::filesystem::perms;
    process::raiseDescriptorLimit();
    const auto shown = perms::owner_all | perms::group_exec | perms::others_exec;
    FLO_TRY(makeFolder(options_.data_root, perms::owner_all | perms::group_exec));
    return makeFolder(options_.exec_root, shown);
  }

  void engineStarted(const Result<void>& started) {
    if (!started) {
      fail(started.error());
      return;
    }
    gateway::beginService(*gateway_, options_);
  }

  void terminate() { gateway::endService(*gateway_, *reactor_, options_); }

  void fail(const Error& error) {
    failure_ = error;
    terminate();
  }

  const DaemonOptions options_;
  const std::function<void()> reload_;
  Metrics metrics_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<gateway::GatewayService> gateway_;
  std::optional<Error> failure_;
};

/// HUP: what can change while running is the log level.
void reload(int argc, const char* const* argv) {
  const auto options = parseDaemonOptions(argc, argv, std::cerr);
  if (!options) {
    log::error("configuration not reloaded", {{"error", options.error().message()}});
    return;
  }
  if (*options) {
    log::setLevel((*options)->log_level);
    log::info("configuration reloaded");
  }
}

int complain(const Error& error) {
  std::cerr << "flotilla daemon: " << error.message() << '\n';
  return 1;
}

int run(int argc, const char* const* argv) {
  process::limitMemory();
  auto options = parseDaemonOptions(argc, argv, std::cout);
  if (!options) {
    return complain(options.error());
  }
  if (!*options) {
    return 0;
  }
  log::init((*options)->log_level, (*options)->log_format);
  Daemon daemon(**std::move(options), [argc, argv] { reload(argc, argv); });
  const auto ended = daemon.run();
  return ended ? 0 : complain(ended.error());
}

}  // namespace
}  // namespace flotilla::daemon

int flotilla::daemonMain(int argc, const char* const* argv) { return daemon::run(argc, argv); }
