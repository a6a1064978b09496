#include "api-gateway/http/request_metrics.h"

namespace flotilla::gateway {

RequestMetrics::Row& RequestMetrics::rowOf(std::string_view pattern, std::string_view method) {
  Row& row = rows_[{pattern.data(), method.data()}];
  if (row.seconds == nullptr) {
    row.seconds = &metrics_.durations(
        "flotilla_http_request_seconds", "Time from a request's header to the head of its answer.",
        {{"route", std::string(pattern)}, {"method", std::string(method)}});
  }
  return row;
}

void RequestMetrics::observe(std::string_view pattern, std::string_view method, int status,
                             std::chrono::nanoseconds took) {
  prometheus::Histogram* seconds = nullptr;
  prometheus::Counter* count = nullptr;
  {
    const MutexLock lock(mutex_);
    Row& row = rowOf(pattern, method);
    seconds = row.seconds;
    prometheus::Counter*& counter = row.by_status[status];
    if (counter == nullptr) {
      counter = &metrics_.counter("flotilla_http_requests_total", "Requests answered.",
                                  {{"route", std::string(pattern)},
                                   {"method", std::string(method)},
                                   {"code", std::to_string(status)}});
    }
    count = counter;
  }
  count->Increment();
  seconds->Observe(std::chrono::duration<double>(took).count());
}

}  // namespace flotilla::gateway
