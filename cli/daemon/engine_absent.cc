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

// TODO(engine): link engine::EngineService here; until then the queue answers every job with 503.
void EngineHost::start(std::function<void(Result<void>)> started) { started({}); }

void EngineHost::stop() {}

}  // namespace flotilla::daemon
