#include "bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace flotilla::bench {

void Samples::add(const Samples& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

double Samples::percentile(double fraction) const {
  if (values_.empty()) {
    return 0;
  }
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto rank =
      static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

double Samples::sum() const { return std::accumulate(values_.begin(), values_.end(), 0.0); }

}  // namespace flotilla::bench
