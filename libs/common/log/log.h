#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "common/error/result.h"

/// The process' log, on standard error. Thread-safe once init() returned. Text lines are logfmt
/// (time="..." level=info msg="..." key=value), JSON lines carry the same members. Never log
/// credentials, tickets or environment values.
namespace flotilla::log {

enum class Level { Debug, Info, Warning, Error };
enum class Format { Text, Json };

struct Field {
  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

/// "debug", "info", "warn", "warning", "error". Errors: InvalidArgument.
Result<Level> parseLevel(std::string_view name);
/// "text", "json". Errors: InvalidArgument.
Result<Format> parseFormat(std::string_view name);

void init(Level level, Format format);
void setLevel(Level level);
[[nodiscard]] bool enabled(Level level);

void write(Level level, std::string_view message, Fields fields);

inline void debug(std::string_view message, Fields fields = {}) {
  write(Level::Debug, message, fields);
}
inline void info(std::string_view message, Fields fields = {}) {
  write(Level::Info, message, fields);
}
inline void warning(std::string_view message, Fields fields = {}) {
  write(Level::Warning, message, fields);
}
inline void error(std::string_view message, Fields fields = {}) {
  write(Level::Error, message, fields);
}

/// The line write() would print, for tests.
std::string render(Format format, Level level, std::string_view time, std::string_view message,
                   Fields fields);

}  // namespace flotilla::log
