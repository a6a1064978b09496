#include "engine/engine_service.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include "common/event/thread_pool.h"
#include "common/job/job_engine.h"
#include "common/log/log.h"
#include "common/os/atomic_file.h"
#include "common/os/random.h"
#include "common/process/privileges.h"
#include "common/stream/stream_server.h"
#include "engine/images/image_records.h"
#include "engine/images/local_image_store.h"
#include "engine/images/pull/image_pull.h"
#include "engine/images/pull/proxy_source.h"
#include "engine/jobs/container_jobs.h"
#include "engine/jobs/event_jobs.h"
#include "engine/jobs/exec_jobs.h"
#include "engine/jobs/exported_streams.h"
#include "engine/jobs/image_jobs.h"
#include "engine/jobs/ledger_guard.h"
#include "engine/jobs/network_jobs.h"
#include "engine/jobs/pull_jobs.h"
#include "engine/jobs/system_jobs.h"
#include "engine/jobs/volume_jobs.h"
#include "engine/leadership.h"
#include "engine/lifecycle/lifecycle.h"
#include "engine/lifecycle/process_signal.h"
#include "engine/lifecycle/shim_runtime.h"
#include "engine/logs/log_watch.h"
#include "engine/runtime/host_facts.h"
#include "engine/stats/stats_jobs.h"
#include "engine/store/bell.h"
#include "engine/store/container_store.h"
#include "engine/store/schema.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kHousekeeping{60};
constexpr std::chrono::milliseconds kSeekLeadership{200};
constexpr std::chrono::seconds kLookAfter{5};
constexpr std::size_t kBulkThreads = 4;
constexpr std::size_t kStartsPerProcessor = 4;  // the kernel waits in each of them
constexpr std::size_t kPullThreads = 16;

std::string programDirectory() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
}

std::string findRuntime() {
  for (const char* path : {"/usr/bin/crun", "/usr/local/bin/crun", "/usr/bin/runc",
                           "/usr/sbin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc"}) {
    if (::access(path, X_OK) == 0) {
      return path;
    }
  }
  return "";
}

/// The kernel's names of sockets end at 107 bytes, and a worker's streams are in the run folder.
Result<void> checkRunFolder(const Paths& paths) {
  constexpr std::size_t kLongestName = 107;
  const std::size_t below =
      paths.streams().size() - paths.run().size() + sizeof("/4194304.sock") - 1;
  if (paths.run().size() + below > kLongestName) {
    return Error{ErrorKind::InvalidArgument, "the path of --exec-root " + paths.run() +
                                                 " is too long for the sockets in it: at most " +
                                                 std::to_string(kLongestName - below) + " bytes"};
  }
  return {};
}

/// Random, version 4, as dockerd's ID.
std::string makeUuid() {
  std::string hex = randomHex(16);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] % 4];
  for (const std::size_t at : {8U, 13U, 18U, 23U}) {
    hex.insert(at, "-");
  }
  return hex;
}

std::vector<Migration> allMigrations() {
  auto migrations = coreMigrations();
  for (const auto& more : {imageMigrations(), networkMigrations(), volumeMigrations()}) {
    migrations.insert(migrations.end(), more.begin(), more.end());
  }
  return migrations;
}

}  // namespace

/// In order of construction: what comes later uses what comes before.
struct EngineService::Parts {
  Parts(EngineOptions options_in, Reactor& reactor_in, JobQueue& queue_in, Metrics& metrics_in)
      : options(std::move(options_in)),
        reactor(reactor_in),
        queue(queue_in),
        metrics(metrics_in),
        paths(options.root, options.run) {}

  Result<void> wireStore();
  Result<void> wireImages();
  Result<void> wireNetwork();
  Result<void> wireVolumes();
  Result<void> wireLifecycle();
  Result<void> wireJobs();
  void wireMetrics();
  void keepHouse();
  void finishWrites();
  Result<void> wireSharing();
  Result<void> reconcile();
  void lead();
  void lookAfterAll();
  void otherCommitted();
  void deliver(JobContextPtr context);
  [[nodiscard]] std::string program(const std::string& name) const;
  Result<std::vector<std::string>> usersOfVolume(const std::string& volume);

  const EngineOptions options;
  Reactor& reactor;
  JobQueue& queue;
  Metrics& metrics;
  const Paths paths;
  std::string id;
  std::unique_ptr<Bell> bell;  // rung by the database's thread to its end
  std::unique_ptr<Database> database;
  std::unique_ptr<EventStore> events;
  std::unique_ptr<ContainerCatalog> catalog;
  std::unique_ptr<JobLedger> ledger;
  std::unique_ptr<TransitionLocks> locks;
  StartGate gate{kStartsPerProcessor * std::max(1U, std::thread::hardware_concurrency())};
  std::unique_ptr<LocalImageStore> images;
  std::unique_ptr<RegistrySource> registry;
  std::unique_ptr<DownloadSlots> download_slots;
  std::unique_ptr<PullContext> pull_context;
  std::unique_ptr<NetworkManager> networks;
  std::unique_ptr<VolumeStore> volumes;
  std::unique_ptr<ShimRuntime> runtime;
  std::unique_ptr<StreamServer> streams;
  std::unique_ptr<StreamExporter> exporter;  // null: gateways are on this host
  std::unique_ptr<LogWatch> log_watch;
  bool leading = false;                    // and everybody was told
  std::unique_ptr<Leadership> leadership;  // null: not shared, or the reactor's thread only
  std::atomic<bool> looking_again{false};
  std::atomic<bool> looking_after{false};
  std::unique_ptr<ContainerView> view;
  // The lifecycle's continuations run on `work`, which joins before the lifecycle goes: see ~.
  std::unique_ptr<Lifecycle> lifecycle;
  std::unique_ptr<ThreadPool> queries, work, bulk, pulls;
  std::unique_ptr<JobEngine> jobs;
  std::shared_ptr<LedgerGuard> guard;  // null: nothing is delivered twice; shared with its jobs
  std::unique_ptr<JobQueue::Subscription> subscription;
};

std::string EngineService::Parts::program(const std::string& name) const {
  return (options.program_dir.empty() ? programDirectory() : options.program_dir) + "/" + name;
}

Result<void> EngineService::Parts::wireStore() {
  FLO_TRY(checkRunFolder(paths));
  const bool alone = !options.sharing || options.sharing->alone;
  std::optional<gid_t> stream_group;
  if (!options.stream_group.empty()) {
    FLO_TRY_ASSIGN(stream_group, process::findGroup(options.stream_group));
  }
  FLO_TRY(makeEngineFolders(paths, alone ? Company::Alone : Company::Others, stream_group));
  FLO_TRY_ASSIGN(id, engineId(options.root));
  FLO_TRY_ASSIGN(database,
                 Database::open(paths.database(), allMigrations(),
                                options.sharing ? Writers::Several : Writers::ThisProcess));
  if (options.sharing) {
    // Heard from the reactor's first round on, when everything is wired.
    FLO_TRY_ASSIGN(bell, Bell::hang(reactor, paths.bell(), [this] { otherCommitted(); }));
    database->onCommit([this] { bell->ring(); });
  }
  events = std::make_unique<EventStore>(*database, systemNow);
  catalog = std::make_unique<ContainerCatalog>(*database);
  ledger = std::make_unique<JobLedger>(*database, systemNow);
  locks = std::make_unique<TransitionLocks>(paths.locks());
  return {};
}

Result<void> EngineService::Parts::wireImages() {
  LocalImageStore::Options image_options{paths, program("flotilla-unpack"), options.version, {}};
  image_options.containers = [](Transaction& transaction,
                                const std::string& image_id) -> Result<std::vector<ContainerUse>> {
    FLO_TRY_ASSIGN(const auto users, usersOfImage(transaction, image_id));
    std::vector<ContainerUse> uses;
    for (const auto& user : users) {
      uses.push_back({user.id, user.image_id, user.running});
    }
    return uses;
  };
  FLO_TRY_ASSIGN(images, LocalImageStore::create(std::move(image_options), *database, *events));
  const std::string proxy = options.registry_proxy.empty()
                                ? "unix://" + options.run + "/registry-proxy.sock"
                                : options.registry_proxy;
  FLO_TRY_ASSIGN(net::Address address, net::Address::parse(proxy, 5000));
  registry = makeProxySource(std::move(address));
  download_slots = std::make_unique<DownloadSlots>(options.max_concurrent_downloads);
  pull_context.reset(new PullContext{images->context(), *registry, *download_slots,
                                     options.max_download_attempts});
  return {};
}

Result<void> EngineService::Parts::wireNetwork() {
  NetworkOptions network_options;
  network_options.bridge_name = options.bridge_name;
  network_options.table_name = options.table_name;
  network_options.bip = options.bip;
  network_options.sandbox_dir = paths.run() + "/netns";
  network_options.running = [this] {
    std::vector<RunningEndpoint> running;
    const auto records = catalog->list();
    for (const auto& record : records ? *records : std::vector<ContainerRecordPtr>{}) {
      if (record->state.attached && record->state.running()) {
        running.push_back({record->id, record->name, record->state.endpoint});
      }
    }
    return running;
  };
  FLO_TRY_ASSIGN(networks, NetworkManager::create(*database, std::move(network_options)));
  return {};
}

Result<std::vector<std::string>> EngineService::Parts::usersOfVolume(const std::string& volume) {
  FLO_TRY_ASSIGN(const auto records, catalog->list());
  std::vector<std::string> users;
  for (const auto& record : records) {
    for (const MountPoint& mount : record->spec->mounts) {
      if (mount.type == "volume" && mount.name == volume) {
        users.push_back(record->id);
        break;
      }
    }
  }
  return users;
}

Result<void> EngineService::Parts::wireVolumes() {
  FLO_TRY_ASSIGN(volumes,
                 VolumeStore::create(
                     *database, *events,
                     {.directory = paths.volumes(),
                      .users = [this](const std::string& volume) { return usersOfVolume(volume); },
                      .alone = !options.sharing || options.sharing->alone}));
  return {};
}

Result<void> EngineService::Parts::wireLifecycle() {
  EngineFacts facts;
  facts.host = hostFacts();
  facts.boot = bootId();
  facts.runtime_path = options.runtime_path.empty() ? findRuntime() : options.runtime_path;
  if (facts.runtime_path.empty()) {
    return Error{ErrorKind::Internal, "no OCI runtime: install crun or runc"};
  }
  facts.runtime_name = std::filesystem::path(facts.runtime_path).filename();
  facts.init_path = options.init_path.empty() ? findInit() : options.init_path;
  runtime =
      std::make_unique<ShimRuntime>(paths, reactor, ShimRuntime::Options{program("flotilla-shim")});
  queries = std::make_unique<ThreadPool>(ThreadPool::Options{"query", options.query_threads});
  work = std::make_unique<ThreadPool>(ThreadPool::Options{"work", options.work_threads});
  bulk = std::make_unique<ThreadPool>(ThreadPool::Options{"bulk", kBulkThreads});
  pulls = std::make_unique<ThreadPool>(ThreadPool::Options{"pull", kPullThreads});
  lifecycle = std::make_unique<Lifecycle>(
      LifecycleParts{paths, *database, *events, *catalog, *ledger, *locks, gate, *runtime, *runtime,
                     *images, *networks, *volumes, reactor, *work, systemNow, std::move(facts),
                     LocalImageStore::requireImage});
  return {};
}

Result<void> EngineService::Parts::wireJobs() {
  FLO_TRY_ASSIGN(streams,
                 StreamServer::listenUnix(
                     reactor, paths.streams() + "/" + std::to_string(::getpid()) + ".sock"));
  if (options.stream_export) {
    FLO_TRY_ASSIGN(exporter, StreamExporter::listen(reactor, *options.stream_export));
  }
  FLO_TRY_ASSIGN(log_watch, LogWatch::create(reactor));
  view = std::make_unique<ContainerView>(paths, *images);
  jobs = std::make_unique<JobEngine>(*queries, *work, &metrics);
  const ContainerJobParts container_parts{*lifecycle, *view, *streams, *log_watch};
  addContainerJobs(*jobs, container_parts);
  addContainerQueries(*jobs, container_parts);
  addExecJobs(*jobs, container_parts);
  addEventJobs(*jobs, *events, *streams, reactor, systemNow);
  addStatsJobs(*jobs, {*catalog, *streams, reactor, *queries, {.unified = hasUnifiedCgroups()}});
  addImageJobs(*jobs, *images, *streams, *bulk);
  addPullJobs(*jobs, *pull_context, *streams, *pulls);
  addNetworkJobs(*jobs, *networks);
  addVolumeJobs(*jobs, *volumes,
                [this](const std::string& volume) { return usersOfVolume(volume); });
  SystemFacts facts{id, options.name, options.labels, options.version, {}, {}};
  facts.image_count = [this] {
    std::size_t count = 0;
    const auto read = database->read([&](Transaction& transaction) -> Result<void> {
      FLO_TRY_ASSIGN(count, ImageRecords(transaction).count());
      return {};
    });
    return read ? count : 0;
  };
  addSystemJobs(*jobs, *lifecycle, *view, std::move(facts));
  return {};
}

void EngineService::Parts::wireMetrics() {
  auto gauge = [this](ContainerStatus status) {
    return &metrics.gauge("flotilla_containers", "Containers of this host, by state.",
                          {{"state", std::string(statusName(status))}});
  };
  std::map<ContainerStatus, prometheus::Gauge*> gauges;
  using enum ContainerStatus;
  for (const auto status : {Created, Running, Paused, Restarting, Removing, Exited, Dead}) {
    gauges[status] = gauge(status);
  }
  metrics.beforeText([this, gauges] {
    std::map<ContainerStatus, int> counts;
    const auto records = catalog->list();
    for (const auto& record : records ? *records : std::vector<ContainerRecordPtr>{}) {
      ++counts[record->state.status];
    }
    for (const auto& [status, of_status] : gauges) {
      of_status->Set(counts[status]);
    }
  });
}

/// Writes that nobody waits for are over once a later one is.
void EngineService::Parts::finishWrites() {
  const auto nothing = [](Transaction&) -> Result<void> { return {}; };
  if (const auto written = database->write(Durability::Relaxed, nothing); !written) {
    log::warning("the last writes may be lost", {{"error", written.error().message()}});
  }
}

Result<void> EngineService::Parts::wireSharing() {
  if (!options.sharing) {
    return {};
  }
  leadership = std::make_unique<Leadership>(paths.leaderLock());
  guard = std::make_shared<LedgerGuard>(LedgerGuard::Parts{
      *database, *ledger, *catalog, reactor, options.sharing->worker_id, options.sharing->lives});
  return {};
}

/// Before the first job: a worker that joins others finds the host in order already.
Result<void> EngineService::Parts::reconcile() {
  if (!options.sharing) {
    return lifecycle->recovery.run();
  }
  const bool leads = leadership->seek();
  if (options.sharing->alone) {
    return lifecycle->recovery.run();
  }
  FLO_TRY(networks->join());
  if (leads) {
    lifecycle->recovery.takeOver();
  }
  return {};
}

/// On the reactor's thread, for ever: seeks the leadership, then looks after the host.
void EngineService::Parts::lead() {
  const bool leads = leadership->seek();
  if (leads && !std::exchange(leading, true)) {
    log::info("this worker leads now", {{"worker", options.sharing->worker_id}});
    if (options.sharing->on_lead) {
      options.sharing->on_lead();
    }
  }
  if (leads) {
    lookAfterAll();
  }
  reactor.runAfter(leads ? std::chrono::milliseconds(kLookAfter) : kSeekLeadership,
                   [this] { lead(); });
}

void EngineService::Parts::lookAfterAll() {
  if (looking_after.exchange(true)) {
    return;
  }
  const bool posted = work->post([this] {
    lifecycle->recovery.takeOver();
    looking_after = false;
  });
  if (!posted) {
    looking_after = false;
  }
}

/// Never blocks.
void EngineService::Parts::deliver(JobContextPtr context) {
  if (exporter) {
    context = exportStreams(std::move(context), *exporter);
  }
  if (!guard) {
    return jobs->run(std::move(context));
  }
  guard->admit(std::move(context),
               [this](JobContextPtr admitted) { jobs->run(std::move(admitted)); });
}

void EngineService::Parts::otherCommitted() {
  events->lookAgain();
  if (!lifecycle->awaits() || looking_again.exchange(true)) {
    return;
  }
  const auto look = [this] {
    looking_again = false;  // before looking: what is committed from now on rings again
    lifecycle->lookAgain();
  };
  if (!work->post(look)) {
    looking_again = false;
  }
}

/// On the reactor's thread.
void EngineService::Parts::keepHouse() {
  reactor.runAfter(kHousekeeping, [this] {
    lifecycle->waiters.expire();
    if (!work->post([this] { static_cast<void>(ledger->expire().has_value()); })) {
      log::debug("housekeeping is put off: the engine is busy");
    }
    keepHouse();
  });
}

Result<std::unique_ptr<EngineService>> EngineService::create(EngineOptions options,
                                                             Reactor& reactor, JobQueue& queue,
                                                             Metrics& metrics) {
  auto parts = std::make_unique<Parts>(std::move(options), reactor, queue, metrics);
  FLO_TRY(parts->wireStore());
  FLO_TRY(parts->wireImages());
  FLO_TRY(parts->wireNetwork());
  FLO_TRY(parts->wireVolumes());
  FLO_TRY(parts->wireLifecycle());
  FLO_TRY(parts->wireJobs());
  FLO_TRY(parts->wireSharing());
  parts->wireMetrics();
  return std::unique_ptr<EngineService>(new EngineService(std::move(parts)));
}

Result<std::string> EngineService::engineId(const std::string& root) {
  const std::string path = Paths(root, "").engineId();
  auto known = readFile(path, 256);
  if (known) {
    std::erase(*known, '\n');
    return known->empty() ? Error{ErrorKind::Internal, "the engine's ID in " + path + " is empty"}
                          : std::move(known);
  }
  // Another ID would make another host of this one.
  if (known.error().sysErrno() != ENOENT) {
    return known;
  }
  std::error_code failed;
  std::filesystem::create_directories(root, failed);
  const std::string id = makeUuid();
  FLO_TRY(writeFileAtomically(path, id + "\n", 0644));
  return id;
}

EngineService::EngineService(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

EngineService::~EngineService() {
  stop();
  // What is still to be written, and whom it tells, uses the pools; what these still run uses
  // everything else, and may leave something to be written again.
  parts_->finishWrites();
  parts_->queries.reset();
  parts_->bulk.reset();
  parts_->pulls.reset();
  parts_->work.reset();
  parts_->finishWrites();
}

Result<void> EngineService::start() {
  FLO_TRY(parts_->reconcile());
  parts_->reactor.post([parts = parts_.get()] {
    parts->keepHouse();
    if (parts->options.sharing) {
      parts->lead();
    }
  });
  FLO_TRY_ASSIGN(parts_->subscription,
                 parts_->queue.serve({parts_->id}, [parts = parts_.get()](JobContextPtr context) {
                   parts->deliver(std::move(context));
                 }));
  return {};
}

void EngineService::workerGone() { parts_->lookAfterAll(); }

void EngineService::stop() {
  parts_->pull_context->stopping = true;
  parts_->subscription.reset();
}

const std::string& EngineService::id() const { return parts_->id; }

std::string EngineService::streamAddress() const {
  return parts_->exporter ? parts_->exporter->address() : "";
}

}  // namespace flotilla::engine
