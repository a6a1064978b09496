#pragma once

#include <cstddef>
#include <vector>

namespace flotilla::bench {

/// Samples of one measured figure. Not thread-safe; merge per-thread ones with add().
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  void add(const Samples& other);
  [[nodiscard]] std::size_t count() const { return values_.size(); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  /// The smallest sample that `fraction` of all samples do not exceed (nearest rank); 0 when empty.
  [[nodiscard]] double percentile(double fraction) const;
  [[nodiscard]] double median() const { return percentile(0.5); }
  [[nodiscard]] double sum() const;

 private:
  std::vector<double> values_;
};

}  // namespace flotilla::bench
