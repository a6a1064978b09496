#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/event/thread_pool.h"
#include "common/job/job_engine.h"
#include "common/stream/stream_server.h"
#include "engine/engine_service.h"
#include "engine/images/local_image_store.h"
#include "engine/images/pull/image_pull.h"
#include "engine/jobs/container_view.h"
#include "engine/jobs/ledger_guard.h"
#include "engine/leadership.h"
#include "engine/lifecycle/lifecycle.h"
#include "engine/lifecycle/shim_runtime.h"
#include "engine/logs/log_watch.h"
#include "engine/store/bell.h"

namespace flotilla::engine {

/// Everything an engine is made of, in order of construction: what comes later uses what comes
/// before.
struct EngineService::Parts {
  Parts(EngineOptions options_in, Reactor& reactor_in, JobQueue& queue_in, Metrics& metrics_in)
      : options(std::move(options_in)),
        reactor(reactor_in),
        queue(queue_in),
        metrics(metrics_in),
        paths(options.root, options.run) {}

  // Making them (engine_wiring.cc), in this order.
  Result<void> wireStore();
  Result<void> wireImages();
  Result<void> wireNetwork();
  Result<void> wireVolumes();
  Result<void> wireLifecycle();
  Result<void> wireJobs();
  void wireMetrics();

  // Living with the other workers of the host (engine_sharing.cc).
  Result<void> wireSharing();
  /// Before the first job: a worker that joins others finds the host in order already.
  Result<void> reconcile();
  /// On the reactor's thread, for ever: seeks the leadership, then looks after the host.
  void lead();
  void lookAfterAll();
  void otherCommitted();

  // Serving (engine_service.cc).
  /// Never blocks.
  void deliver(JobContextPtr context);
  /// On the reactor's thread, for ever.
  void keepHouse();
  /// Writes that nobody waits for are over once a later one is.
  void finishWrites();

  [[nodiscard]] std::string program(const std::string& name) const;
  Result<std::vector<std::string>> usersOfVolume(const std::string& volume);

  const EngineOptions options;
  Reactor& reactor;
  JobQueue& queue;
  Metrics& metrics;
  const Paths paths;
  std::string id;
  UniqueFd root_hold;
  std::unique_ptr<Bell> bell;  // rung by the database's thread to its end
  std::unique_ptr<Database> database;
  std::unique_ptr<EventStore> events;
  std::unique_ptr<ContainerCatalog> catalog;
  std::unique_ptr<JobLedger> ledger;
  std::unique_ptr<TransitionLocks> locks;
  /// The kernel waits in each start.
  static constexpr std::size_t kStartsPerProcessor = 4;
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

}  // namespace flotilla::engine
