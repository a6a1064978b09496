#pragma once

#include <functional>
#include <mutex>
#include <utility>

namespace flotilla {

/// The part of a JobContext that tells its handler of a cancellation: at most one function, run at
/// most once. Thread-safe; no function runs or dies under its lock.
class CancelHook {
 public:
  [[nodiscard]] bool cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  /// As JobContext::onCancel.
  void set(std::function<void()> fn) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (!over_) {
          fn_.swap(fn);
        }
        return;
      }
    }
    fn();
  }

  void cancel() {
    std::function<void()> fn;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      fn = std::exchange(fn_, nullptr);
    }
    if (fn) {
      fn();
    }
  }

  /// The job is complete: what was set is dropped, and what will be.
  void drop() {
    std::function<void()> dying;  // its captures may come back here
    const std::lock_guard lock(mutex_);
    over_ = true;
    dying.swap(fn_);
  }

 private:
  mutable std::mutex mutex_;  // guards what follows
  std::function<void()> fn_;
  bool cancelled_ = false;
  bool over_ = false;
};

}  // namespace flotilla
