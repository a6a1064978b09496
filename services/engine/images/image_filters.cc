#include "engine/images/image_filters.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "common/model/list_filters.h"
#include "engine/images/image_document.h"

namespace flotilla::engine {
namespace {

Error badPattern() { return Error{ErrorKind::InvalidArgument, "syntax error in pattern"}; }

/// One bracket expression at the front of `pattern`, consumed; whether `c` is in it.
Result<bool> matchClass(std::string_view& pattern, char c) {
  pattern.remove_prefix(1);
  bool negated = false;
  if (pattern.starts_with('^')) {
    negated = true;
    pattern.remove_prefix(1);
  }
  const auto take = [&pattern]() -> Result<char> {
    if (pattern.starts_with('\\')) {
      pattern.remove_prefix(1);
    }
    if (pattern.empty()) {
      return badPattern();
    }
    const char taken = pattern.front();
    pattern.remove_prefix(1);
    return taken;
  };
  bool found = false;
  for (int ranges = 0;; ++ranges) {
    if (pattern.starts_with(']') && ranges > 0) {
      pattern.remove_prefix(1);
      return found != negated;
    }
    if (pattern.empty() || pattern.front() == '-' || pattern.front() == ']') {
      return badPattern();
    }
    FLO_TRY_ASSIGN(const char low, take());
    char high = low;
    if (pattern.starts_with('-')) {
      pattern.remove_prefix(1);
      FLO_TRY_ASSIGN(high, take());
    }
    found = found || (low <= c && c <= high);
  }
}

/// One step other than "*": consumes from both, false when they differ.
Result<bool> matchOne(std::string_view& pattern, std::string_view& name) {
  if (pattern.front() == '[') {
    const char c = name.empty() ? '\0' : name.front();
    FLO_TRY_ASSIGN(const bool in_class, matchClass(pattern, c));
    if (name.empty() || c == '/' || !in_class) {
      return false;
    }
    name.remove_prefix(1);
    return true;
  }
  bool any = false;
  if (pattern.front() == '?') {
    any = true;
  } else if (pattern.front() == '\\') {
    pattern.remove_prefix(1);
    if (pattern.empty()) {
      return badPattern();
    }
  }
  if (name.empty() || (any ? name.front() == '/' : name.front() != pattern.front())) {
    return false;
  }
  pattern.remove_prefix(1);
  name.remove_prefix(1);
  return true;
}

/// Go's path.Match only reports errors in parts of the pattern it looks at; so every bracket is
/// looked at once up front.
Result<void> checkPattern(std::string_view pattern) {
  while (!pattern.empty()) {
    if (pattern.front() == '[') {
      FLO_TRY(matchClass(pattern, 'x'));
      continue;
    }
    if (pattern == "\\") {
      return badPattern();
    }
    pattern.remove_prefix(pattern.front() == '\\' ? 2 : 1);
  }
  return {};
}

std::optional<std::int64_t> durationNanoseconds(std::string_view text) {
  static constexpr std::pair<std::string_view, double> kUnits[] = {
      {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  if (text.empty()) {
    return std::nullopt;
  }
  while (!text.empty()) {
    double value = 0;
    const auto [end, code] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (code != std::errc{} || value < 0) {
      return std::nullopt;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::size_t length = std::min(text.find_first_of("0123456789."), text.size());
    const auto unit = std::find_if(std::begin(kUnits), std::end(kUnits), [&](const auto& u) {
      return u.first == text.substr(0, length);
    });
    if (unit == std::end(kUnits)) {
      return std::nullopt;
    }
    total += value * unit->second;
    text.remove_prefix(length);
  }
  return total < 9e18 ? std::optional(static_cast<std::int64_t>(total)) : std::nullopt;
}

}  // namespace

Result<FilterMap> parseFilters(std::string_view text,
                               const std::vector<std::string_view>& allowed) {
  FLO_TRY_ASSIGN(auto parsed, model::parseListFilters(text));
  FilterMap filters;
  for (auto& [name, values] : parsed) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return Error{ErrorKind::InvalidArgument, "invalid filter '" + name + "'"};
    }
    filters[name] = std::move(values);
  }
  return filters;
}

Result<bool> matchPattern(std::string_view pattern, std::string_view name) {
  FLO_TRY(checkPattern(pattern));
  // The last "*" seen: where to resume, one character further, when the rest does not match.
  std::string_view star_pattern;
  std::string_view star_name;
  bool star = false;
  for (;;) {
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      star = true;
      star_pattern = pattern;
      star_name = name;
      continue;
    }
    if (pattern.empty() && name.empty()) {
      return true;
    }
    bool step = false;
    if (!pattern.empty()) {
      FLO_TRY_ASSIGN(step, matchOne(pattern, name));
    }
    if (step) {
      continue;
    }
    if (!star || star_name.empty() || star_name.front() == '/') {
      return false;
    }
    star_name.remove_prefix(1);
    pattern = star_pattern;
    name = star_name;
  }
}

Result<bool> matchesReference(std::string_view pattern, const std::string& familiar,
                              const std::string& familiar_name) {
  FLO_TRY_ASSIGN(const bool whole, matchPattern(pattern, familiar));
  return whole ? Result<bool>(true) : matchPattern(pattern, familiar_name);
}

Result<std::int64_t> parseFilterTime(std::string_view text, std::int64_t now_ns) {
  if (const auto time = parseRfc3339(text)) {
    return *time;
  }
  if (text.size() == 10) {
    if (const auto day = parseRfc3339(std::string(text) + "T00:00:00Z")) {
      return *day;
    }
  }
  double seconds = 0;
  const auto [end, code] =
      std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  if (code == std::errc{} && end == text.data() + text.size() && std::abs(seconds) < 9e9) {
    return static_cast<std::int64_t>(seconds * 1e9);
  }
  if (const auto ago = durationNanoseconds(text)) {
    return now_ns - *ago;
  }
  return Error{ErrorKind::InvalidArgument,
               "failed to parse value as time or duration: \"" + std::string(text) + "\""};
}

}  // namespace flotilla::engine
