#include "common/event/thread_pool.h"

#include <pthread.h>

#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "common/log/log.h"
#include "common/os/mutex.h"

namespace flotilla {

struct ThreadPool::State {
  explicit State(Options o) : options(std::move(o)) {}

  void work();
  void run(const std::function<void()>& fn) const;
  void startThread() FLO_REQUIRES(mutex);

  const Options options;
  mutable Mutex mutex;
  CondVar wake;
  std::deque<std::function<void()>> queue FLO_GUARDED_BY(mutex);
  std::vector<std::thread> threads FLO_GUARDED_BY(mutex);
  std::size_t idle FLO_GUARDED_BY(mutex) = 0;
  bool stopping FLO_GUARDED_BY(mutex) = false;
};

void ThreadPool::State::work() {
  std::unique_lock<Mutex> lock(mutex);
  for (;;) {
    ++idle;
    wake.wait(lock, [this] { return stopping || !queue.empty(); });
    --idle;
    if (queue.empty()) {
      return;
    }
    std::function<void()> fn = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    run(fn);
    fn = nullptr;  // captures end outside the lock
    lock.lock();
  }
}

/// An exception is a fault of `fn`'s, or memory is short: it ends neither the thread nor the
/// process, on which everything else depends.
void ThreadPool::State::run(const std::function<void()>& fn) const {
  try {
    fn();
  } catch (const std::exception& thrown) {
    log::error("a function of a thread pool failed",
               {{"pool", options.name}, {"error", thrown.what()}});
  } catch (...) {
    log::error("a function of a thread pool failed", {{"pool", options.name}});
  }
}

void ThreadPool::State::startThread() {
  std::string name = options.name.substr(0, 12) + "-" + std::to_string(threads.size());
  threads.emplace_back([this, name] {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    work();
  });
}

ThreadPool::ThreadPool(Options options) : state_(std::make_unique<State>(std::move(options))) {}

ThreadPool::~ThreadPool() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(state_->mutex);
    state_->stopping = true;
    threads.swap(state_->threads);
  }
  state_->wake.notify_all();
  for (std::thread& thread : threads) {
    thread.join();
  }
}

bool ThreadPool::post(std::function<void()> fn) {
  {
    MutexLock lock(state_->mutex);
    if (state_->stopping || state_->queue.size() >= state_->options.max_queued) {
      return false;
    }
    state_->queue.push_back(std::move(fn));
    // An idle thread that was notified but has not run yet still counts as idle: compare with all
    // that is queued, or two quick posts would share one thread.
    if (state_->queue.size() > state_->idle &&
        state_->threads.size() < state_->options.max_threads) {
      state_->startThread();
    }
  }
  state_->wake.notify_one();
  return true;
}

std::size_t ThreadPool::queued() const {
  MutexLock lock(state_->mutex);
  return state_->queue.size();
}

std::size_t ThreadPool::threads() const {
  MutexLock lock(state_->mutex);
  return state_->threads.size();
}

}  // namespace flotilla
