#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/job/job.h"

namespace flotilla {

/// Where a RedisContext's messages go. Thread-safe.
class RedisContextOwner {
 public:
  virtual ~RedisContextOwner() = default;
  virtual void established(const std::string& gateway, const std::string& job_id, const Established& message) = 0;
  virtual void completed(const std::string& gateway, const std::string& job_id, const std::string& entry,
                         const JobResult& result) = 0;
};

/// A job taken from a stream. Thread-safe.
class RedisContext final : public JobContext {
 public:
  RedisContext(std::weak_ptr<RedisContextOwner> owner, std::string gateway, std::string entry, Job job)
      : owner_(std::move(owner)), gateway_(std::move(gateway)), entry_(std::move(entry)), job_(std::move(job)) {}

  ~RedisContext() override {
    complete(Error{ErrorKind::Internal, "job " + job_.name + " was dropped without a result"});
  }
  RedisContext(const RedisContext&) = delete;
  RedisContext& operator=(const RedisContext&) = delete;

  [[nodiscard]] const Job& job() const override { return job_; }
  /// Of the stream.
  [[nodiscard]] const std::string& entry() const { return entry_; }

  void established(Established message) override {
    {
      const std::lock_guard lock(mutex_);
      if (completed_ || std::exchange(established_, true)) {
        return;
      }
    }
    if (const auto owner = owner_.lock()) {
      owner->established(gateway_, job_.id, message);
    }
  }

  void complete(JobResult result) override {
    std::function<void()> dying;  // its captures may come back here
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(completed_, true)) {
        return;
      }
      dying = std::exchange(on_cancel_, nullptr);
    }
    if (const auto owner = owner_.lock()) {
      owner->completed(gateway_, job_.id, entry_, result);
    }
  }

  [[nodiscard]] bool cancelled() const override {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

  void onCancel(std::function<void()> fn) override {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (!completed_) {
          on_cancel_.swap(fn);
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
      fn = std::exchange(on_cancel_, nullptr);
    }
    if (fn) {
      fn();
    }
  }

 private:
  const std::weak_ptr<RedisContextOwner> owner_;
  const std::string gateway_;
  const std::string entry_;
  const Job job_;
  mutable std::mutex mutex_;  // guards what follows
  std::function<void()> on_cancel_;
  bool cancelled_ = false;
  bool established_ = false;
  bool completed_ = false;
};

}  // namespace flotilla
