#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flotilla::engine {

/// One line of a json-file log, decoded. Views point into the line or into the scratch buffer.
struct LogLine {
  std::string_view text;        // as the container wrote it, mostly with its newline
  std::string_view time;        // RFC 3339, UTC
  std::string_view attributes;  // the "attrs" object as JSON, "" when none
  bool from_stderr = false;
};

/// Decodes `line` (without its newline). Our own lines take a fast path; any other valid line of
/// Docker's format goes through a JSON parser. nullopt for what is none (a torn line after a
/// crash): readers pass over it. `scratch` holds unescaped text until the next call.
std::optional<LogLine> parseLogLine(std::string_view line, std::string& scratch);

/// Nanoseconds since the epoch of an RFC 3339 time in UTC; nullopt when it is none.
std::optional<std::int64_t> parseLogTime(std::string_view text);

/// The time with exactly nine digits of fraction, as `logs --timestamps` shows it.
void appendFixedTime(std::string& out, std::string_view time);

/// "attrs" as `logs --details` shows them: sorted "key=value", joined by commas, URL-escaped.
std::string detailsText(std::string_view attributes);

}  // namespace flotilla::engine
