#include "common/job/job_metrics.h"

#include <atomic>
#include <chrono>
#include <utility>

namespace flotilla {
namespace {

constexpr const char* kSeconds = "flotilla_job_seconds";
constexpr const char* kSecondsHelp = "Time from a job's delivery until it was established or done.";
constexpr const char* kTotal = "flotilla_jobs_total";
constexpr const char* kTotalHelp = "Jobs done, by name and outcome.";

}  // namespace

class JobMetrics::MeasuredContext final : public JobContext {
 public:
  MeasuredContext(JobContextPtr context, JobMetrics& metrics)
      : context_(std::move(context)), metrics_(metrics) {}

  [[nodiscard]] const Job& job() const override { return context_->job(); }
  void established(Established message) override {
    answered();
    context_->established(std::move(message));
  }
  void complete(JobResult result) override {
    answered();
    if (!counted_.exchange(true)) {
      (result ? metrics_.succeeded_ : metrics_.failed_).Increment();
    }
    context_->complete(std::move(result));
  }
  [[nodiscard]] bool cancelled() const override { return context_->cancelled(); }
  void onCancel(std::function<void()> fn) override { context_->onCancel(std::move(fn)); }

 private:
  void answered() {
    if (!answered_.exchange(true)) {
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - since_;
      metrics_.seconds_.Observe(took.count());
    }
  }

  const JobContextPtr context_;
  JobMetrics& metrics_;
  const std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
  std::atomic<bool> answered_ = false;
  std::atomic<bool> counted_ = false;
};

JobMetrics::JobMetrics(Metrics& metrics, const std::string& job_name)
    : seconds_(metrics.durations(kSeconds, kSecondsHelp, {{"job", job_name}})),
      succeeded_(metrics.counter(kTotal, kTotalHelp, {{"job", job_name}, {"outcome", "success"}})),
      failed_(metrics.counter(kTotal, kTotalHelp, {{"job", job_name}, {"outcome", "error"}})) {}

JobContextPtr JobMetrics::measured(JobContextPtr context) {
  return std::make_shared<MeasuredContext>(std::move(context), *this);
}

}  // namespace flotilla
