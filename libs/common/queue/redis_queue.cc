#include "common/queue/redis_queue.h"

#include <mutex>
#include <utility>

#include "common/os/random.h"
#include "common/queue/redis_submitter.h"
#include "common/queue/redis_worker.h"

namespace flotilla {
namespace {

class RedisSubscription final : public JobQueue::Subscription {
 public:
  explicit RedisSubscription(std::shared_ptr<RedisWorker> worker) : worker_(std::move(worker)) {}
  ~RedisSubscription() override { worker_->stop(); }
  RedisSubscription(const RedisSubscription&) = delete;
  RedisSubscription& operator=(const RedisSubscription&) = delete;

 private:
  std::shared_ptr<RedisWorker> worker_;  // shared with the queue
};

}  // namespace

struct RedisQueue::State {
  State(Reactor& reactor_in, RedisQueueOptions options_in)
      : reactor(reactor_in),
        options(std::move(options_in)),
        submitter(std::make_shared<RedisSubmitter>(reactor, options)) {}

  Reactor& reactor;
  const RedisQueueOptions options;
  std::shared_ptr<RedisSubmitter> submitter;
  mutable std::mutex mutex;  // guards what follows
  std::shared_ptr<RedisWorker> worker;
};

RedisQueue::RedisQueue(Reactor& reactor, RedisQueueOptions options)
    : state_(std::make_shared<State>(reactor, std::move(options))) {}

/// The parts end on the reactor's thread, where they live; what is posted owns them until then.
RedisQueue::~RedisQueue() {
  state_->reactor.post([state = state_] {
    state->submitter->close();
    const std::lock_guard lock(state->mutex);
    if (state->worker) {
      state->worker->close();
    }
  });
}

void RedisQueue::submit(const std::string& engine_id, Job job, Callbacks callbacks) {
  if (state_->reactor.inLoop()) {
    return state_->submitter->submit(engine_id, std::move(job), std::move(callbacks));
  }
  state_->reactor.post([state = state_, engine_id, job = std::move(job),
                        callbacks = std::move(callbacks)]() mutable {
    state->submitter->submit(engine_id, std::move(job), std::move(callbacks));
  });
}

void RedisQueue::cancel(const std::string& job_id) {
  if (state_->reactor.inLoop()) {
    return state_->submitter->cancel(job_id);
  }
  state_->reactor.post([state = state_, job_id] { state->submitter->cancel(job_id); });
}

Result<std::unique_ptr<JobQueue::Subscription>> RedisQueue::serve(
    ServeOptions options, std::function<void(JobContextPtr)> deliver) {
  const std::lock_guard lock(state_->mutex);
  if (state_->worker) {
    return Error{ErrorKind::AlreadyExists, "engine " + options.engine_id + " is served already"};
  }
  const RedisQueueOptions& mine = state_->options;
  FLO_TRY_ASSIGN(auto presence,
                 WorkerPresence::create(mine.workers_folder,
                                        mine.worker_id.empty() ? randomHex(8) : mine.worker_id));
  state_->worker = std::make_shared<RedisWorker>(state_->reactor, mine, options, std::move(deliver),
                                                 std::move(presence));
  state_->reactor.post([state = state_, worker = state_->worker] { worker->start(); });
  return std::unique_ptr<Subscription>(std::make_unique<RedisSubscription>(state_->worker));
}

std::vector<std::string> RedisQueue::running() const {
  const std::lock_guard lock(state_->mutex);
  return state_->worker ? state_->worker->running() : std::vector<std::string>{};
}

bool RedisQueue::idle() const {
  const std::lock_guard lock(state_->mutex);
  return !state_->worker || state_->worker->idle();
}

void RedisQueue::abandon() {
  const std::lock_guard lock(state_->mutex);
  if (state_->worker) {
    state_->worker->abandon();
  }
}

Result<void> RedisQueue::health() const {
  const std::lock_guard lock(state_->mutex);
  return state_->worker ? state_->worker->health() : state_->submitter->health();
}

}  // namespace flotilla
