#include "common/metrics/metrics.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(Metrics, TextHoldsWhatWasCounted) {
  Metrics metrics;
  metrics.counter("flotilla_jobs_total", "Jobs", {{"job", "info"}}).Increment(3);
  metrics.gauge("flotilla_connections", "Open connections").Set(2);
  metrics.durations("flotilla_job_seconds", "Job time").Observe(0.0002);
  const auto text = metrics.text();
  EXPECT_NE(text.find("flotilla_jobs_total{job=\"info\"} 3"), std::string::npos) << text;
  EXPECT_NE(text.find("flotilla_connections 2"), std::string::npos) << text;
  EXPECT_NE(text.find("flotilla_job_seconds_bucket{le=\"0.00025\"} 1"), std::string::npos) << text;
}

TEST(Metrics, TheSameNameAndLabelsAreTheSameCounter) {
  Metrics metrics;
  auto& first = metrics.counter("flotilla_x_total", "x", {{"a", "1"}});
  auto& second = metrics.counter("flotilla_x_total", "x", {{"a", "1"}});
  EXPECT_EQ(&first, &second);
}

}  // namespace
}  // namespace flotilla
