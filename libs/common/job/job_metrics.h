#pragma once

#include <array>
#include <memory>
#include <string>

#include "common/job/job.h"
#include "common/metrics/metrics.h"

namespace flotilla {

/// Counts the jobs of one name by outcome and measures how long they take to be answered: until
/// they are established or done, whichever comes first. Outlives its jobs. Thread-safe.
class JobMetrics {
 public:
  JobMetrics(Metrics& metrics, const std::string& job_name);

  /// `context`, measured from now on.
  JobContextPtr measured(JobContextPtr context);

 private:
  class MeasuredContext;

  prometheus::Histogram& seconds_;
  prometheus::Counter& succeeded_;
  prometheus::Counter& failed_;
};

}  // namespace flotilla
