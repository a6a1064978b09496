#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <utility>

#include "common/job/cancel_hook.h"
#include "common/job/job.h"

namespace flotilla::testing_support {

/// A JobContext that keeps what a handler says, for tests of handlers. Thread-safe.
class RecordedContext final : public JobContext {
 public:
  explicit RecordedContext(Job job) : job_(std::move(job)) {}

  [[nodiscard]] const Job& job() const override { return job_; }

  void established(Established message) override {
    const std::lock_guard lock(mutex_);
    if (!established_ && !completed_) {
      established_ = std::move(message);
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
    result_.set_value(std::move(result));
  }

  [[nodiscard]] bool cancelled() const override { return cancel_.cancelled(); }
  void onCancel(std::function<void()> fn) override { cancel_.set(std::move(fn)); }

  /// What the queue does when the client left.
  void cancel() { cancel_.cancel(); }

  [[nodiscard]] std::optional<Established> establishedMessage() const {
    const std::lock_guard lock(mutex_);
    return established_;
  }

  [[nodiscard]] bool completed() const {
    const std::lock_guard lock(mutex_);
    return completed_;
  }

  /// The result, or DeadlineExceeded after `timeout`. Call once.
  JobResult waitResult(std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    auto future = result_.get_future();
    if (future.wait_for(timeout) != std::future_status::ready) {
      return Error{ErrorKind::DeadlineExceeded, "job " + job_.name + " did not complete"};
    }
    return future.get();
  }

 private:
  const Job job_;
  CancelHook cancel_;
  mutable std::mutex mutex_;  // guards what follows, but for result_
  std::optional<Established> established_;
  bool completed_ = false;
  std::promise<JobResult> result_;
};

}  // namespace flotilla::testing_support
