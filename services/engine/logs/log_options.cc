#include "engine/logs/log_options.h"

#include <charconv>

namespace flotilla::engine {
namespace {

constexpr std::int64_t kNanos = 1000000000;

Error badNumber(const std::string& text, const char* why) {
  return Error(ErrorKind::InvalidArgument, "strconv.ParseInt: parsing \"" + text + "\": " + why);
}

Result<std::int64_t> parseNumber(const std::string& text) {
  const std::size_t sign = !text.empty() && text[0] == '+' ? 1 : 0;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + sign, text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return badNumber(text, "value out of range");
  }
  if (error != std::errc() || end != text.data() + text.size()) {
    return badNumber(text, "invalid syntax");
  }
  return value;
}

/// "seconds[.fraction]"; "" and "0" mean no limit.
Result<std::optional<std::int64_t>> parseTime(const std::string& text) {
  if (text.empty() || text == "0") {
    return std::optional<std::int64_t>{};
  }
  const std::size_t dot = text.find('.');
  FLO_TRY_ASSIGN(const std::int64_t seconds, parseNumber(text.substr(0, dot)));
  std::int64_t fraction = 0;
  if (dot != std::string::npos) {
    const std::string digits = text.substr(dot + 1);
    FLO_TRY(parseNumber(digits));
    FLO_TRY_ASSIGN(fraction, parseNumber((digits + "000000000").substr(0, 9)));
  }
  constexpr std::int64_t kMostSeconds = 9000000000;  // nanoseconds must fit
  if (seconds < -kMostSeconds || seconds > kMostSeconds) {
    return badNumber(text.substr(0, dot), "value out of range");
  }
  return std::optional<std::int64_t>(seconds * kNanos + fraction);
}

}  // namespace

Result<LogOptions> LogOptions::parse(const JobEnv& env) {
  LogOptions options;
  options.with_stdout = env.getBool("stdout");
  options.with_stderr = env.getBool("stderr");
  if (!options.with_stdout && !options.with_stderr) {
    return Error(ErrorKind::InvalidArgument, "Bad parameters: you must choose at least one stream");
  }
  options.follow = env.getBool("follow");
  options.timestamps = env.getBool("timestamps");
  options.details = env.getBool("details");
  FLO_TRY_ASSIGN(options.since_ns, parseTime(env.get("since")));
  FLO_TRY_ASSIGN(options.until_ns, parseTime(env.get("until")));
  // dockerd takes whatever is no number, "all" among it, and negative ones for everything.
  if (const auto tail = parseNumber(env.get("tail")); tail && *tail >= 0) {
    options.tail = static_cast<std::uint64_t>(*tail);
  }
  return options;
}

}  // namespace flotilla::engine
