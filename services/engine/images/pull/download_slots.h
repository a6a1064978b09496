#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "common/os/mutex.h"

namespace flotilla::engine {

/// How many layers one engine downloads at a time, over all pulls (dockerd's
/// max-concurrent-downloads). Thread-safe.
class DownloadSlots {
 public:
  explicit DownloadSlots(std::size_t count) : free_(count) {}

  /// False when `cancelled` said so first. Blocks.
  bool take(const std::function<bool()>& cancelled) {
    MutexLock lock(mutex_);
    while (free_ == 0) {
      if (cancelled()) {
        return false;
      }
      freed_.wait_for(mutex_, std::chrono::milliseconds(200));
    }
    --free_;
    return true;
  }
  void giveBack() {
    {
      MutexLock lock(mutex_);
      ++free_;
    }
    freed_.notify_one();
  }

 private:
  Mutex mutex_;
  CondVar freed_;
  std::size_t free_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::engine
