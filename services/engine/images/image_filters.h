#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// The decoded `filters` parameter: values per filter name.
using FilterMap = std::map<std::string, std::vector<std::string>, std::less<>>;

/// {"name":["a"]} and the older {"name":{"a":true}}. "" is no filter.
/// Errors: InvalidArgument "invalid filter" and, for a name not in `allowed`, "invalid filter 'x'".
Result<FilterMap> parseFilters(std::string_view json, const std::vector<std::string_view>& allowed);

/// Shell pattern over '/'-separated names as Go's path.Match: "*" and "?" stop at "/".
/// Errors: InvalidArgument "syntax error in pattern".
Result<bool> matchPattern(std::string_view pattern, std::string_view name);

/// A `reference` filter's pattern against one name: with its tag or without.
/// Errors: as matchPattern.
Result<bool> matchesReference(std::string_view pattern, const std::string& familiar,
                              const std::string& familiar_name);

/// A point in time as filters write it: RFC 3339 (date alone too), Unix seconds with fraction, or a
/// duration before now ("10m", "1h30m"). Nanoseconds since the epoch.
/// Errors: InvalidArgument.
Result<std::int64_t> parseFilterTime(std::string_view text, std::int64_t now_ns);

}  // namespace flotilla::engine
