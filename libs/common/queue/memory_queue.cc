#include "common/queue/memory_queue.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "common/job/cancel_hook.h"
#include "common/queue/queue_errors.h"

namespace flotilla {
namespace {

class MemoryContext;

/// Told when a delivered job is over, so that its slot and its id are free again.
class Completion {
 public:
  virtual ~Completion() = default;
  virtual void finished(const std::string& engine_id, const std::string& job_id) = 0;
};

class MemoryContext final : public JobContext {
 public:
  MemoryContext(std::string engine_id, Job job, JobQueue::Callbacks callbacks)
      : engine_id_(std::move(engine_id)), job_(std::move(job)), callbacks_(std::move(callbacks)) {}

  ~MemoryContext() override {
    complete(Error{ErrorKind::Internal, "job " + job_.name + " was dropped without a result"});
  }

  MemoryContext(const MemoryContext&) = delete;
  MemoryContext& operator=(const MemoryContext&) = delete;

  [[nodiscard]] const Job& job() const override { return job_; }
  [[nodiscard]] const std::string& engineId() const { return engine_id_; }

  void established(Established message) override {
    std::function<void(Established)> callback;
    {
      const std::lock_guard lock(mutex_);
      callback = std::exchange(callbacks_.on_established, nullptr);
    }
    if (callback) {
      callback(std::move(message));
    }
  }

  void complete(JobResult result) override {
    std::function<void(JobResult)> callback;
    {
      const std::lock_guard lock(mutex_);
      callback = std::exchange(callbacks_.on_result, nullptr);
      callbacks_.on_established = nullptr;
    }
    cancel_.drop();
    if (!callback) {
      return;
    }
    if (const auto completion = completion_.lock()) {
      completion->finished(engine_id_, job_.id);
    }
    callback(std::move(result));
  }

  [[nodiscard]] bool cancelled() const override { return cancel_.cancelled(); }
  void onCancel(std::function<void()> fn) override { cancel_.set(std::move(fn)); }
  void cancel() { cancel_.cancel(); }

  /// From now on completing frees a slot there. Called once, before delivery.
  void delivered(std::weak_ptr<Completion> completion) { completion_ = std::move(completion); }

 private:
  const std::string engine_id_;
  const Job job_;
  std::weak_ptr<Completion> completion_;
  CancelHook cancel_;
  std::mutex mutex_;  // guards what follows
  JobQueue::Callbacks callbacks_;
};

using MemoryContextPtr = std::shared_ptr<MemoryContext>;

}  // namespace

class MemoryQueue::Core final : public Completion, public std::enable_shared_from_this<Core> {
 public:
  Core(Reactor& timers, Options options) : timers_(timers), options_(options) {}

  void submit(const std::string& engine_id, Job job, Callbacks callbacks) {
    const auto lifetime = job.lifetime;
    auto context = std::make_shared<MemoryContext>(engine_id, std::move(job), std::move(callbacks));
    if (auto refused = enqueue(context)) {
      context->complete(*std::move(refused));
      return;
    }
    dispatch(engine_id);
    if (lifetime) {
      expireLater(context, *lifetime);
    }
  }

  void cancel(const std::string& job_id) {
    MemoryContextPtr waiting;
    MemoryContextPtr running;
    {
      const std::lock_guard lock(mutex_);
      waiting = takeWaiting(job_id);
      if (const auto found = running_.find(job_id); !waiting && found != running_.end()) {
        running = found->second.lock();
      }
    }
    if (waiting) {
      waiting->complete(clientGone());
    }
    if (running) {
      running->cancel();
    }
  }

  Result<void> attach(const ServeOptions& options, std::function<void(JobContextPtr)> deliver) {
    const std::string engine_id = options.engine_id;
    {
      const std::lock_guard lock(mutex_);
      auto& engine = engines_[engine_id];
      if (engine.deliver) {
        return Error{ErrorKind::AlreadyExists, "engine " + engine_id + " is served already"};
      }
      engine.deliver = std::make_shared<std::function<void(JobContextPtr)>>(std::move(deliver));
      engine.max_in_flight = options.max_in_flight;
    }
    return {};
  }

  /// No delivery begins after this, and none is running when it returns. Waiting jobs are refused.
  void detach(const std::string& engine_id) {
    std::deque<MemoryContextPtr> orphans;
    {
      std::unique_lock lock(mutex_);
      auto& engine = engines_[engine_id];
      engine.deliver = nullptr;
      orphans.swap(engine.waiting);
      idle_.wait(lock, [&] { return !engines_[engine_id].dispatching; });
    }
    for (const auto& context : orphans) {
      context->complete(notServed(engine_id));
    }
  }

  void finished(const std::string& engine_id, const std::string& job_id) override {
    {
      const std::lock_guard lock(mutex_);
      running_.erase(job_id);
      --engines_[engine_id].in_flight;
    }
    dispatch(engine_id);
  }

  void refuseWaiting() {
    std::vector<MemoryContextPtr> orphans;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [id, engine] : engines_) {
        orphans.insert(orphans.end(), engine.waiting.begin(), engine.waiting.end());
        engine.waiting.clear();
      }
    }
    for (const auto& context : orphans) {
      context->complete(Error{ErrorKind::Unavailable, "the queue is closing"});
    }
  }

 private:
  struct EngineState {
    std::shared_ptr<std::function<void(JobContextPtr)>> deliver;
    std::size_t max_in_flight = 0;
    std::size_t in_flight = 0;
    bool dispatching = false;
    std::deque<MemoryContextPtr> waiting;
  };

  std::optional<Error> enqueue(const MemoryContextPtr& context) {
    const std::lock_guard lock(mutex_);
    auto& engine = engines_[context->engineId()];
    if (!engine.deliver) {
      return notServed(context->engineId());
    }
    if (engine.waiting.size() >= options_.max_waiting) {
      return queueFull(context->engineId());
    }
    if (running_.contains(context->job().id)) {
      return runsAlready(context->job().id);
    }
    engine.waiting.push_back(context);
    return std::nullopt;
  }

  /// Delivers while there are jobs and slots. One thread at a time per engine, so that order holds
  /// and a job that completes while it is delivered does not recurse.
  void dispatch(const std::string& engine_id) {
    std::unique_lock lock(mutex_);
    auto& engine = engines_[engine_id];  // entries are never removed
    if (engine.dispatching) {
      return;
    }
    engine.dispatching = true;
    while (engine.deliver && !engine.waiting.empty() && engine.in_flight < engine.max_in_flight) {
      auto context = std::move(engine.waiting.front());
      engine.waiting.pop_front();
      ++engine.in_flight;
      running_[context->job().id] = context;
      const auto deliver = engine.deliver;
      lock.unlock();
      context->delivered(weak_from_this());
      (*deliver)(std::move(context));
      lock.lock();
    }
    engine.dispatching = false;
    idle_.notify_all();
  }

  MemoryContextPtr takeWaiting(const std::string& job_id) {
    for (auto& [engine_id, engine] : engines_) {
      for (auto item = engine.waiting.begin(); item != engine.waiting.end(); ++item) {
        if ((*item)->job().id == job_id) {
          auto context = *item;
          engine.waiting.erase(item);
          return context;
        }
      }
    }
    return nullptr;
  }

  void expireLater(const MemoryContextPtr& context, std::chrono::milliseconds lifetime) {
    // Timers belong to the reactor's thread. A job that was delivered by then is left alone.
    timers_.post(
        [core = weak_from_this(), job_id = context->job().id, lifetime, timers = &timers_] {
          timers->runAfter(lifetime, [core, job_id] {
            const auto alive = core.lock();
            if (!alive) {
              return;
            }
            MemoryContextPtr expired;
            {
              const std::lock_guard lock(alive->mutex_);
              expired = alive->takeWaiting(job_id);
            }
            if (expired) {
              expired->complete(notTakenInTime());
            }
          });
        });
  }

  Reactor& timers_;
  const Options options_;
  std::mutex mutex_;  // guards what follows; never held over a callback
  std::condition_variable idle_;
  std::map<std::string, EngineState> engines_;
  std::unordered_map<std::string, std::weak_ptr<MemoryContext>> running_;
};

namespace {

class MemorySubscription final : public JobQueue::Subscription {
 public:
  explicit MemorySubscription(std::function<void()> end) : end_(std::move(end)) {}
  ~MemorySubscription() override { end_(); }
  MemorySubscription(const MemorySubscription&) = delete;
  MemorySubscription& operator=(const MemorySubscription&) = delete;

 private:
  std::function<void()> end_;
};

}  // namespace

MemoryQueue::MemoryQueue(Reactor& timers, Options options)
    : core_(std::make_shared<Core>(timers, options)) {}

MemoryQueue::~MemoryQueue() { core_->refuseWaiting(); }

void MemoryQueue::submit(const std::string& engine_id, Job job, Callbacks callbacks) {
  core_->submit(engine_id, std::move(job), std::move(callbacks));
}

void MemoryQueue::cancel(const std::string& job_id) { core_->cancel(job_id); }

Result<std::unique_ptr<JobQueue::Subscription>> MemoryQueue::serve(
    ServeOptions options, std::function<void(JobContextPtr)> deliver) {
  const std::string engine_id = options.engine_id;
  FLO_TRY(core_->attach(std::move(options), std::move(deliver)));
  return std::unique_ptr<Subscription>(
      std::make_unique<MemorySubscription>([core = core_, engine_id] { core->detach(engine_id); }));
}

}  // namespace flotilla
