#pragma once

#include <string>
#include <vector>

namespace flotilla::cli {

/// Rows of text in aligned columns as docker prints them: three spaces between columns, nothing
/// after the last.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) : rows_{std::move(heading)} {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// Columns that a terminal needs for UTF-8 text without wide characters.
std::size_t displayWidth(const std::string& text);
/// At most `width` characters, the last one an ellipsis when something was cut.
std::string shortened(const std::string& text, std::size_t width);

}  // namespace flotilla::cli
