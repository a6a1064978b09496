#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "common/metrics/metrics.h"
#include "common/os/mutex.h"

namespace flotilla::gateway {

/// Counts requests by route, method and status, and how long their answers took to begin.
/// Thread-safe.
class RequestMetrics {
 public:
  explicit RequestMetrics(Metrics& metrics) : metrics_(metrics) {}

  /// `pattern` and `method` must be constants of the program: their number bounds the metrics'.
  void observe(std::string_view pattern, std::string_view method, int status,
               std::chrono::nanoseconds took);

 private:
  struct Row {
    prometheus::Histogram* seconds = nullptr;
    std::map<int, prometheus::Counter*> by_status;
  };

  Row& rowOf(std::string_view pattern, std::string_view method) FLO_REQUIRES(mutex_);

  Metrics& metrics_;
  Mutex mutex_;
  // Keyed by the texts' addresses: constants, looked up on every request.
  std::map<std::pair<const char*, const char*>, Row> rows_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::gateway
