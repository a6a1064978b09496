#include "registry-proxy/cache/blob.h"

#include <algorithm>
#include <utility>

namespace flotilla::registry {
namespace {

bool ended(const Blob::Progress& progress) { return progress.complete || progress.failure; }

}  // namespace

Blob::Blob(UniqueFd fd, std::uint64_t size) : fd_(std::move(fd)) {
  progress_ = {.available = size, .size = size, .begun = true, .complete = true};
}

Blob::Progress Blob::progress() const {
  MutexLock lock(mutex_);
  return progress_;
}

bool Blob::waitBegun(std::chrono::milliseconds timeout) const {
  MutexLock lock(mutex_);
  return changed_.wait_for(mutex_, timeout, [this] { return progress_.begun || ended(progress_); });
}

bool Blob::waitBeyond(std::uint64_t seen, std::chrono::milliseconds timeout) const {
  MutexLock lock(mutex_);
  return changed_.wait_for(mutex_, timeout,
                           [&] { return progress_.available > seen || ended(progress_); });
}

void Blob::whenBeyond(std::uint64_t seen, std::function<void()> fn) {
  {
    MutexLock lock(mutex_);
    if (progress_.available <= seen && !ended(progress_)) {
      waiters_.push_back({seen, std::move(fn)});
      return;
    }
  }
  fn();
}

/// Tells everybody whom the new state concerns, outside the lock.
void Blob::publish() {
  std::vector<Waiter> due;
  {
    MutexLock lock(mutex_);
    const auto first =
        std::stable_partition(waiters_.begin(), waiters_.end(), [this](const Waiter& waiter) {
          return progress_.available <= waiter.seen && !ended(progress_);
        });
    std::move(first, waiters_.end(), std::back_inserter(due));
    waiters_.erase(first, waiters_.end());
  }
  changed_.notify_all();
  for (Waiter& waiter : due) {
    waiter.fn();
  }
}

void Blob::begin(std::optional<std::uint64_t> size) {
  {
    MutexLock lock(mutex_);
    progress_.begun = true;
    if (size) {
      progress_.size = size;
    }
  }
  publish();
}

void Blob::received(std::uint64_t total) {
  {
    MutexLock lock(mutex_);
    progress_.available = std::max(progress_.available, total > 0 ? total - 1 : 0);
  }
  publish();
}

void Blob::complete(std::uint64_t size) {
  {
    MutexLock lock(mutex_);
    progress_ = {.available = size, .size = size, .begun = true, .complete = true};
  }
  publish();
}

void Blob::fail(Refusal refusal) {
  {
    MutexLock lock(mutex_);
    progress_.failure = std::move(refusal);
  }
  publish();
}

}  // namespace flotilla::registry
