#include <unistd.h>

#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "common/process/privileges.h"
#include "engine/engine_parts.h"
#include "engine/images/image_records.h"
#include "engine/images/pull/proxy_source.h"
#include "engine/jobs/container_jobs.h"
#include "engine/jobs/event_jobs.h"
#include "engine/jobs/exec_jobs.h"
#include "engine/jobs/image_jobs.h"
#include "engine/jobs/network_jobs.h"
#include "engine/jobs/pull_jobs.h"
#include "engine/jobs/system_jobs.h"
#include "engine/jobs/volume_jobs.h"
#include "engine/lifecycle/process_signal.h"
#include "engine/runtime/host_facts.h"
#include "engine/stats/stats_jobs.h"
#include "engine/store/container_store.h"
#include "engine/store/schema.h"

/// What an engine is made of, and what of it uses what.
namespace flotilla::engine {
namespace {

constexpr std::size_t kBulkThreads = 4;
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

std::vector<Migration> allMigrations() {
  auto migrations = coreMigrations();
  for (const auto& more : {imageMigrations(), networkMigrations(), volumeMigrations()}) {
    migrations.insert(migrations.end(), more.begin(), more.end());
  }
  return migrations;
}

}  // namespace

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
  FLO_TRY_ASSIGN(root_hold, holdRoot(paths, options.sharing ? Holders::Several : Holders::One));
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

}  // namespace flotilla::engine
