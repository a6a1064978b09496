#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/os/mutex.h"
#include "common/queue/redis_context.h"

namespace flotilla {

/// The jobs delivered here and not completed, by id. Thread-safe.
class RunningJobs {
 public:
  void add(const std::shared_ptr<RedisContext>& job) {
    MutexLock lock(mutex_);
    jobs_[job->job().id] = job;
  }
  void erase(const std::string& job_id) {
    MutexLock lock(mutex_);
    jobs_.erase(job_id);
  }
  /// Null when it does not run here, or is ending.
  [[nodiscard]] std::shared_ptr<RedisContext> find(const std::string& job_id) const {
    MutexLock lock(mutex_);
    const auto found = jobs_.find(job_id);
    return found == jobs_.end() ? nullptr : found->second.lock();
  }
  [[nodiscard]] std::size_t size() const {
    MutexLock lock(mutex_);
    return jobs_.size();
  }
  [[nodiscard]] std::vector<std::string> ids() const {
    MutexLock lock(mutex_);
    std::vector<std::string> ids;
    for (const auto& [id, job] : jobs_) {
      ids.push_back(id);
    }
    return ids;
  }
  /// What each of them does, e.g. "container_start".
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::shared_ptr<RedisContext>> living;
    {
      MutexLock lock(mutex_);
      for (const auto& [id, job] : jobs_) {
        living.push_back(job.lock());
      }
    }
    std::vector<std::string> names;  // outside the lock: the last reference may end here
    for (const auto& job : living) {
      if (job) {
        names.push_back(job->job().name);
      }
    }
    return names;
  }

 private:
  mutable Mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<RedisContext>> jobs_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla
