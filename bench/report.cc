#include "bench/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace flotilla::bench {
namespace {

/// Three significant digits are all that such measurements carry.
std::string number(double value) {
  if (value >= 100) {
    return fmt::format("{:.0f}", value);
  }
  return value >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string times(const Row& row) {
  return row.ratio() > 0 ? number(row.ratio()) + "x" : std::string("-");
}

}  // namespace

double Row::ratio() const {
  if (a <= 0 || b <= 0) {
    return 0;
  }
  return better == Better::Lower ? b / a : a / b;
}

std::string Report::text() const {
  std::size_t widest = 6;
  for (const auto& row : rows_) {
    widest = std::max(widest, row.figure.size());
  }
  std::string out = fmt::format("{:<{}}  {:>8}  {:>12}  {:>12}  {:>8}\n", "figure", widest, "unit",
                                name_a_, name_b_, "A better");
  for (const auto& row : rows_) {
    out += fmt::format("{:<{}}  {:>8}  {:>12}  {:>12}  {:>8}\n", row.figure, widest, row.unit,
                       number(row.a), number(row.b), times(row));
  }
  return out;
}

std::string Report::markdown() const {
  std::string out =
      fmt::format("| figure | unit | {} | {} | ratio |\n| --- | --- | ---: | ---: | ---: |\n",
                  name_a_, name_b_);
  for (const auto& row : rows_) {
    out += fmt::format("| {} | {} | {} | {} | {} |\n", row.figure, row.unit, number(row.a),
                       number(row.b), times(row));
  }
  return out;
}

}  // namespace flotilla::bench
