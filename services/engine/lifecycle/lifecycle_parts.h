#pragma once

#include <functional>
#include <string>

#include "common/event/reactor.h"
#include "common/event/thread_pool.h"
#include "common/model/container_validate.h"
#include "engine/images/image_store.h"
#include "engine/lifecycle/container_runtime.h"
#include "engine/lifecycle/start_gate.h"
#include "engine/lifecycle/transition_locks.h"
#include "engine/network/network_manager.h"
#include "engine/store/container_catalog.h"
#include "engine/store/event_store.h"
#include "engine/store/job_ledger.h"
#include "engine/store/paths.h"
#include "engine/store/wall_clock.h"
#include "engine/volumes/volume_store.h"

namespace flotilla::engine {

/// Facts of this host and settings of this engine that operations need.
struct EngineFacts {
  model::HostFacts host;
  std::string boot;  // this boot's id
  std::string runtime_name = "crun";
  std::string runtime_path = "/usr/bin/crun";
  std::string init_path;  // host path of the init program for --init, "" = none
};

/// What the operations of the lifecycle work with; borrowed, outlives them all.
struct LifecycleParts {
  const Paths& paths;
  Database& database;
  EventStore& events;
  ContainerCatalog& catalog;
  JobLedger& ledger;
  TransitionLocks& locks;
  StartGate& gate;
  ContainerRuntime& runtime;
  ContainerSessions& sessions;
  ImageSource& images;
  NetworkManager& networks;
  VolumeStore& volumes;
  Reactor& reactor;
  ThreadPool& work;
  WallClock clock;
  EngineFacts facts;
  /// Inside the transaction that makes a container: is its image still there? Empty: not asked.
  std::function<Result<void>(Transaction&, const std::string& image_id)> require_image;
};

}  // namespace flotilla::engine
