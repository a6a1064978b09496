#pragma once

#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::cli {

/// Shows the JSON lines of a pull: on a terminal one line a layer, with its bar, rewritten in
/// place; elsewhere the steps alone, one after the other, as docker does.
class PullDisplay {
 public:
  enum class Style { Bars, Lines, Silent };

  /// Bars where `out` is a terminal.
  explicit PullDisplay(std::FILE* out);
  PullDisplay(std::FILE* out, Style style) : out_(out), style_(style) {}

  /// Takes bytes as they come.
  void take(std::string_view piece);
  /// What the daemon said went wrong, after the last byte.
  [[nodiscard]] Result<void> outcome() const;

 private:
  void show(const nlohmann::json& message);
  void rewrite(const std::string& id, const std::string& line);

  std::FILE* out_;
  Style style_;
  std::string rest_;
  std::string error_;
  std::map<std::string, std::size_t> rows_;  // of layers, counted from the first
};

}  // namespace flotilla::cli
