#include "cli/daemon/engine_host.h"

#include <utility>

namespace flotilla::daemon {

struct EngineHost::State {
  EngineHostOptions options;
  JobQueue& queue;
};

EngineHost::EngineHost(EngineHostOptions options, JobQueue& queue)
    : state_(std::make_unique<State>(State{std::move(options), queue})) {}

EngineHost::~EngineHost() { stop(); }

// Built where the engine is not: nobody serves the queue, which answers every job with 503.
Result<std::string> EngineHost::engineId(const std::string& /*data_root*/) { return std::string("none"); }

void EngineHost::start(std::function<void(Result<void>)> started) { started({}); }

void EngineHost::stop() {}

}  // namespace flotilla::daemon
