#include "common/config/duration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

namespace flotilla::config {
namespace {

using std::chrono::milliseconds;

Error badDuration(std::string_view text) {
  return Error{ErrorKind::InvalidArgument, "time: invalid duration \"" + std::string(text) + "\""};
}

/// A number as Go reads it, whole or not at all; nothing otherwise.
std::optional<double> decimal(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

Result<milliseconds> parseDuration(std::string_view text) {
  using Unit = std::pair<std::string_view, double>;
  constexpr std::array kUnits = {Unit{"ms", 1.0}, Unit{"h", 3'600'000.0}, Unit{"m", 60'000.0},
                                 Unit{"s", 1000.0}};
  if (text == "0") {
    return milliseconds(0);
  }
  double total = 0;
  for (std::string_view rest = text; !rest.empty() || text.empty();) {
    const auto digits = rest.find_first_not_of("0123456789.");
    const auto value = decimal(std::string(rest.substr(0, digits)));
    if (digits == std::string_view::npos || !value) {
      return badDuration(text);
    }
    rest.remove_prefix(digits);
    const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const auto& known) {
      return rest.starts_with(known.first);
    });
    if (unit == kUnits.end()) {
      return badDuration(text);
    }
    total += *value * unit->second;
    rest.remove_prefix(unit->first.size());
  }
  return total <= 1e12 ? Result<milliseconds>(milliseconds(std::llround(total)))
                       : badDuration(text);
}

}  // namespace flotilla::config
