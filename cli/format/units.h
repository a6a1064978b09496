#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::cli {

/// "Less than a second", "5 seconds", "About a minute", "3 weeks": a span in docker's words.
std::string humanDuration(std::int64_t seconds);
/// "1.98MB": decimal units, `digits` significant digits.
std::string humanSize(double bytes, int digits = 3);
/// "1.5GiB": binary units, four significant digits.
std::string binarySize(double bytes);

/// Seconds of "1h30m", "90s", "1.5h": Go's durations of a second and more; nullopt when it is none.
std::optional<double> parseSpan(std::string_view text);
/// Seconds since the epoch of "2026-11-22T02:36:17.08Z" or with an offset; nullopt when it is none.
std::optional<std::int64_t> parseTime(std::string_view text);
/// What --since and --until take (a span before `now` such as "1h30m", a time, a date, seconds
/// since the epoch) as the API wants it: seconds. Errors: InvalidArgument.
Result<std::string> timeArgument(std::string_view name, std::string_view text, std::int64_t now);

}  // namespace flotilla::cli
