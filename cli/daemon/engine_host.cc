#include "cli/daemon/engine_host.h"

#include <pthread.h>

#include <thread>
#include <utility>

#include "common/event/reactor.h"
#include "engine/engine_service.h"

namespace flotilla::daemon {

struct EngineHost::State {
  State(EngineHostOptions host_options, JobQueue& job_queue, Metrics& process_metrics)
      : options(std::move(host_options)), queue(job_queue), metrics(process_metrics) {}

  /// On the starting thread.
  Result<void> bringUp() {
    FLO_TRY_ASSIGN(reactor, Reactor::create());
    FLO_TRY_ASSIGN(service, engine::EngineService::create(
                                {.root = options.data_root,
                                 .run = options.exec_root,
                                 .name = options.name,
                                 .labels = options.labels,
                                 .bip = options.bip,
                                 .registry_proxy = options.registry_proxy,
                                 .max_concurrent_downloads =
                                     static_cast<std::size_t>(options.max_concurrent_downloads),
                                 .max_download_attempts = options.max_download_attempts},
                                *reactor, queue, metrics));
    loop = std::thread([this] {
      ::pthread_setname_np(::pthread_self(), "engine-loop");
      reactor->run();
    });
    return service->start();
  }

  const EngineHostOptions options;
  JobQueue& queue;
  Metrics& metrics;
  std::unique_ptr<Reactor> reactor;
  std::unique_ptr<engine::EngineService> service;  // destroyed before its reactor
  std::thread loop;
  std::thread starter;
};

EngineHost::EngineHost(EngineHostOptions options, JobQueue& queue, Metrics& metrics)
    : state_(std::make_unique<State>(std::move(options), queue, metrics)) {}

EngineHost::~EngineHost() { stop(); }

Result<std::string> EngineHost::engineId(const std::string& data_root) {
  return engine::EngineService::engineId(data_root);
}

void EngineHost::start(std::function<void(Result<void>)> started) {
  state_->starter = std::thread([state = state_.get(), started = std::move(started)] {
    ::pthread_setname_np(::pthread_self(), "engine-start");
    started(state->bringUp());
  });
}

void EngineHost::stop() {
  if (state_->starter.joinable()) {
    state_->starter.join();
  }
  if (state_->service) {
    state_->service->stop();
  }
  if (state_->loop.joinable()) {
    state_->reactor->stop();
    state_->loop.join();
  }
  state_->service.reset();
}

}  // namespace flotilla::daemon
