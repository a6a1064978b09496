#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "common/job/cancel_hook.h"
#include "common/job/job.h"

namespace flotilla {

/// Where a RedisContext's messages go. Thread-safe.
class RedisContextOwner {
 public:
  virtual ~RedisContextOwner() = default;
  virtual void established(const std::string& gateway, const std::string& job_id,
                           const Established& message) = 0;
  virtual void completed(const std::string& gateway, const std::string& job_id,
                         const std::string& entry, const JobResult& result) = 0;
};

/// A job taken from a stream. Thread-safe.
class RedisContext final : public JobContext {
 public:
  RedisContext(std::weak_ptr<RedisContextOwner> owner, std::string gateway, std::string entry,
               Job job)
      : owner_(std::move(owner)),
        gateway_(std::move(gateway)),
        entry_(std::move(entry)),
        job_(std::move(job)) {}

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
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(completed_, true)) {
        return;
      }
    }
    cancel_.drop();
    if (const auto owner = owner_.lock()) {
      owner->completed(gateway_, job_.id, entry_, result);
    }
  }

  [[nodiscard]] bool cancelled() const override { return cancel_.cancelled(); }
  void onCancel(std::function<void()> fn) override { cancel_.set(std::move(fn)); }
  void cancel() { cancel_.cancel(); }

 private:
  const std::weak_ptr<RedisContextOwner> owner_;
  const std::string gateway_;
  const std::string entry_;
  const Job job_;
  CancelHook cancel_;
  std::mutex mutex_;  // guards what follows
  bool established_ = false;
  bool completed_ = false;
};

}  // namespace flotilla
