#include "engine/worker/worker_process.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "common/log/log.h"
#include "common/os/random.h"
#include "common/process/signals.h"
#include "common/process/systemd.h"
#include "common/queue/worker_presence.h"
#include "common/status/status_port.h"
#include "engine/engine_service.h"
#include "engine/leadership.h"
#include "engine/store/paths.h"
#include "engine/worker/host_entry.h"
#include "engine/worker/host_identity.h"
#include "engine/worker/host_registration.h"

namespace flotilla::engine {
namespace {

constexpr std::uint16_t kMetricsPort = 9324;
constexpr int kMetricsPorts = 16;  // tried, from the one that was asked for
constexpr std::chrono::milliseconds kDrainLook{20};
// Jobs that wait for something or follow something: another worker, or the client, takes them up.
constexpr std::array<std::string_view, 4> kEndless = {"container_wait", "events", "container_logs",
                                                      "container_stats"};

class WorkerProcess {
 public:
  WorkerProcess(const WorkerOptions& options, int ready_fd)
      : options_(options), ready_fd_(ready_fd) {}

  ~WorkerProcess() {
    if (starter_.joinable()) {
      starter_.join();
    }
  }
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  Result<void> run() {
    const Paths paths(options_.data_root, options_.exec_root);
    FLO_TRY(readFiles());
    if (options_.enter_host) {
      FLO_TRY_ASSIGN(host_, enterHost(paths));
      for (std::string* file : {&options_.tls_ca_cert, &options_.tls_cert, &options_.tls_key}) {
        *file = file->empty() ? "" : host_->ofContainer(*file);
      }
    }
    FLO_TRY(makeFolders());
    // Until it serves: workers that start at once open the state one after the other.
    FLO_TRY_ASSIGN(start_turn_, takeStartTurn(paths.startLock()));
    FLO_TRY_ASSIGN(reactor_, Reactor::create());
    FLO_TRY(makeQueue(paths));
    FLO_TRY(makeService(paths));
    FLO_TRY_ASSIGN(
        const auto signals,
        process::Signals::create(*reactor_, {.terminate = [this] { drain(); }, .reload = [] {}}));
    FLO_TRY_ASSIGN(const auto status, openStatus());
    starter_ = std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "engine-start");
      auto started = service_->start();
      reactor_->post([this, started = std::move(started)] { begun(started); });
    });
    reactor_->run();
    return end();
  }

 private:
  /// Keys, certificates and passwords: before the host is entered, where these names mean others.
  Result<void> readFiles() {
    FLO_TRY_ASSIGN(queue_options_, queueOptions(options_.queue));
    if (!options_.stream_listen.empty() || !options_.tls_cert.empty()) {
      FLO_TRY_ASSIGN(tls_,
                     net::TlsContext::create({.cert_file = options_.tls_cert,
                                              .key_file = options_.tls_key,
                                              .ca_file = options_.tls_ca_cert,
                                              .peer_check = net::TlsContext::PeerCheck::Required}));
    }
    return {};
  }

  Result<void> makeFolders() const {
    for (const auto& path : {options_.data_root, options_.exec_root}) {
      std::error_code failed;
      std::filesystem::create_directories(path, failed);
      if (failed) {
        return sysError("create " + path, failed.value());
      }
    }
    return {};
  }

  Result<void> makeQueue(const Paths& paths) {
    FLO_TRY_ASSIGN(engine_id_, settleEngineId(options_.data_root, options_.engine_id));
    RedisQueueOptions queue_options = *std::move(queue_options_);
    queue_options.metrics = &metrics_;
    queue_options.worker_id = worker_id_;
    queue_options.workers_folder = paths.workers();
    FLO_TRY_ASSIGN(queue_options.host_identity, hostIdentity(options_.data_root));
    FLO_TRY_ASSIGN(registration_, HostRegistration::create(options_, queue_options.target,
                                                           engine_id_, options_.name, *reactor_));
    queue_options.on_owned = [this] {
      owned_ = true;
      registerHost();
    };
    queue_options.on_refused = [this](const Error& why) { refused(why); };
    queue_options.on_worker_gone = [this] { service_->workerGone(); };
    queue_ = std::make_unique<RedisQueue>(*reactor_, std::move(queue_options));
    return {};
  }

  Result<void> makeService(const Paths& paths) {
    EngineOptions engine;
    engine.root = options_.data_root;
    engine.run = options_.exec_root;
    engine.name = options_.name;
    engine.labels = options_.labels;
    engine.bridge_name = options_.bridge;
    engine.table_name = options_.table;
    engine.bip = options_.bip;
    engine.registry_proxy = options_.registry_proxy;
    engine.max_concurrent_downloads = static_cast<std::size_t>(options_.max_concurrent_downloads);
    engine.max_download_attempts = options_.max_download_attempts;
    engine.stream_group = options_.group;
    if (host_) {
      engine.program_dir = host_->programs.folder;
      engine.runtime_path = engine.program_dir + "/crun";
      engine.init_path = engine.program_dir + "/tini-static";
    }
    engine.sharing = SharingOptions{worker_id_, !WorkerPresence::anyLives(paths.workers()),
                                    [folder = paths.workers()](const std::string& worker) {
                                      return WorkerPresence::lives(folder, worker);
                                    },
                                    [this] {
                                      leads_ = true;
                                      registerHost();
                                    }};
    if (!options_.stream_listen.empty()) {
      FLO_TRY_ASSIGN(auto listen, net::Address::parse(options_.stream_listen, kStreamPort));
      if (options_.slot > 0 && listen.port != 0) {
        listen.port = static_cast<std::uint16_t>(listen.port + options_.slot);
      }
      engine.stream_export = StreamExporter::Options{
          .listen = std::move(listen), .advertise = options_.stream_advertise, .tls = tls_};
    }
    FLO_TRY_ASSIGN(service_,
                   EngineService::create(std::move(engine), *reactor_, *queue_, metrics_));
    return {};
  }

  Result<std::unique_ptr<StatusPort>> openStatus() {
    if (options_.metrics_address.empty()) {
      return std::unique_ptr<StatusPort>();
    }
    FLO_TRY_ASSIGN(auto address, net::Address::parse(options_.metrics_address, kMetricsPort));
    if (options_.slot > 0 && address.kind == net::Address::Kind::Tcp && address.port != 0) {
      address.port = static_cast<std::uint16_t>(address.port + options_.slot);
    } else if (options_.slot > 0) {
      address.path += "." + std::to_string(options_.slot);
    }
    auto opened = openStatus(address);
    // Other workers of this host may have been started with the same port.
    for (int more = 1;
         !opened && opened.error().kind() == ErrorKind::Conflict && more < kMetricsPorts &&
         address.kind == net::Address::Kind::Tcp && address.port != 0;
         ++more) {
      ++address.port;
      opened = openStatus(address);
    }
    return opened;
  }

  Result<std::unique_ptr<StatusPort>> openStatus(const net::Address& address) {
    const auto health = [this]() -> Result<void> {
      return serving_ ? queue_->health()
                      : Result<void>{Error{ErrorKind::Unavailable, "starting or ending"}};
    };
    return StatusPort::listen(*reactor_, metrics_,
                              {.address = address, .tls = tls_, .health = health});
  }

  void begun(const Result<void>& started) {
    start_turn_.reset();
    if (!started) {
      return fail(started.error());
    }
    begun_ = true;
    if (drains_) {
      return drain();
    }
    serving_ = true;
    log::info("worker serves", {{"engine", engine_id_}, {"worker", worker_id_}});
    process::notifyServiceManager("READY=1");
    if (ready_fd_ >= 0) {
      constexpr char kReady = '1';
      [[maybe_unused]] const ssize_t written = ::write(ready_fd_, &kReady, 1);
      ::close(std::exchange(ready_fd_, -1));
    }
  }

  void registerHost() {
    if (registration_ && leads_ && owned_) {
      registration_->begin();
    }
  }

  /// Another host is this engine: that is shown, then this worker ends.
  void refused(const Error& why) {
    if (std::exchange(refused_, true)) {
      return;
    }
    if (!registration_) {
      return fail(why);
    }
    registration_->refuse(why.message(), [this, why] { fail(why); });
  }

  void fail(const Error& why) {
    failure_ = why;
    reactor_->stop();
  }

  /// Takes no more jobs and waits for those that come to an end.
  void drain() {
    drains_ = true;
    if (!begun_) {
      return;  // the service is still being started, on another thread
    }
    log::info("worker drains",
              {{"worker", worker_id_}, {"deadline_s", std::to_string(options_.drain_seconds)}});
    process::notifyServiceManager("STOPPING=1");
    serving_ = false;
    service_->stop();
    drained_at_ = Reactor::Clock::now() + std::chrono::seconds(options_.drain_seconds);
    lookDrained();
  }

  void lookDrained() {
    const auto running = queue_->running();
    const auto ends = [](const std::string& name) {
      return std::find(kEndless.begin(), kEndless.end(), name) == kEndless.end();
    };
    const bool finished = std::none_of(running.begin(), running.end(), ends) && queue_->idle();
    if (!finished && Reactor::Clock::now() < drained_at_) {
      reactor_->runAfter(kDrainLook, [this] { lookDrained(); });
      return;
    }
    reactor_->stop();
  }

  /// The reactor has stopped.
  Result<void> end() {
    if (starter_.joinable()) {
      starter_.join();
    }
    queue_->abandon();
    const auto running = queue_->running();
    if (!running.empty()) {
      // A thread may be in one of them for long. Nothing that matters is in this process' memory,
      // and whoever takes over looks at the world.
      log::info("worker leaves jobs to others", {{"jobs", std::to_string(running.size())}});
      std::_Exit(failure_ ? 1 : 0);
    }
    registration_.reset();
    service_.reset();
    queue_.reset();
    if (failure_) {
      return *std::move(failure_);
    }
    log::info("worker ended", {{"worker", worker_id_}});
    return {};
  }

  WorkerOptions options_;  // files by names that are good here
  int ready_fd_;
  const std::string worker_id_ = std::to_string(::getpid()) + "-" + randomHex(4);
  std::string engine_id_;
  std::optional<RedisQueueOptions> queue_options_;
  net::TlsContextPtr tls_;         // null: no certificate was given
  std::optional<HostEntry> host_;  // absent: this process is the host's already
  Metrics metrics_;
  UniqueFd start_turn_;
  std::unique_ptr<Reactor> reactor_;
  std::unique_ptr<RedisQueue> queue_;
  std::unique_ptr<EngineService> service_;
  std::unique_ptr<HostRegistration> registration_;  // null: the host is not announced
  bool leads_ = false;                              // the host's workers
  bool owned_ = false;                              // the engine id is this host's
  bool refused_ = false;                            // it is another's
  std::thread starter_;
  bool begun_ = false;   // the service has started
  bool drains_ = false;  // asked to end
  bool serving_ = false;
  Reactor::Clock::time_point drained_at_;
  std::optional<Error> failure_;
};

}  // namespace

Result<void> runWorker(const WorkerOptions& options, int ready_fd) {
  return WorkerProcess(options, ready_fd).run();
}

}  // namespace flotilla::engine
