#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flotilla {

/// The metrics of one process, passed to those who count. Thread-safe. The references returned stay
/// valid as long as this object; look them up once, not on every event. Names are
/// flotilla_<subject>_<unit>[_total].
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  prometheus::Counter& counter(const std::string& name, const std::string& help,
                               const Labels& labels = {});
  prometheus::Gauge& gauge(const std::string& name, const std::string& help,
                           const Labels& labels = {});
  /// Buckets for durations in seconds, 100 us to 60 s.
  prometheus::Histogram& durations(const std::string& name, const std::string& help,
                                   const Labels& labels = {});

  /// `fn` runs before every text(), on its thread, to bring gauges up to date. Add before the first
  /// text(); what it uses must live as long as texts are asked for.
  void beforeText(std::function<void()> fn) { before_text_.push_back(std::move(fn)); }

  /// The exposition text of GET /metrics (text/plain; version=0.0.4).
  [[nodiscard]] std::string text() const;

 private:
  prometheus::Registry registry_;
  std::vector<std::function<void()>> before_text_;
};

}  // namespace flotilla
