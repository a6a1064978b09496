#pragma once

#include <string>
#include <vector>

namespace flotilla::bench {

enum class Better { Lower, Higher };

/// One line of the result: the same figure on both endpoints.
struct Row {
  std::string figure;
  std::string unit;
  double a = 0;
  double b = 0;
  Better better = Better::Lower;

  /// How many times better A is than B (above 1: A is better); 0 when it cannot be said.
  [[nodiscard]] double ratio() const;
};

/// Collects rows and writes them as aligned text or as a Markdown table.
class Report {
 public:
  Report(std::string name_a, std::string name_b)
      : name_a_(std::move(name_a)), name_b_(std::move(name_b)) {}

  void add(Row row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string markdown() const;

 private:
  std::string name_a_;
  std::string name_b_;
  std::vector<Row> rows_;
};

}  // namespace flotilla::bench
