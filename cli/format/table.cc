#include "cli/format/table.h"

#include <algorithm>

namespace flotilla::cli {
namespace {

bool startsCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

constexpr std::size_t kGap = 3;
constexpr std::size_t kNarrowest = 10;

}  // namespace

std::size_t displayWidth(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), startsCharacter));
}

std::string shortened(const std::string& text, std::size_t width) {
  if (displayWidth(text) <= width || width == 0) {
    return text;
  }
  std::size_t characters = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    if (startsCharacter(text[end]) && ++characters == width) {
      break;
    }
    ++end;
  }
  return text.substr(0, end) + "…";
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size(), kNarrowest - 1);
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], displayWidth(row[column]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      out += row[column];
      if (column + 1 < row.size()) {
        out.append(widths[column] - displayWidth(row[column]) + kGap, ' ');
      }
    }
    out += '\n';
  }
  return out;
}

}  // namespace flotilla::cli
