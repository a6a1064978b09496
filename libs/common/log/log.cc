#include "common/log/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <chrono>
#include <ctime>

#include "common/json/json.h"

namespace flotilla::log {
namespace {

std::atomic<Format> g_format = Format::Text;

spdlog::level::level_enum spdLevel(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warning:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view levelName(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warning:
      return "warning";
    case Level::Error:
      return "error";
  }
  return "info";
}

std::string now() {
  using std::chrono::system_clock;
  const auto time = system_clock::now();
  const std::time_t seconds = system_clock::to_time_t(time);
  const auto nanoseconds =
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count() %
      1000000000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     nanoseconds);
}

bool needsQuotes(std::string_view value) {
  return value.empty() || value.find_first_of(" =\"\\\n\t\r{}[]") != std::string_view::npos;
}

std::string logfmtValue(std::string_view value) {
  return needsQuotes(value) ? json::quote(value) : std::string(value);
}

}  // namespace

Result<Level> parseLevel(std::string_view name) {
  if (name == "debug") {
    return Level::Debug;
  }
  if (name == "info") {
    return Level::Info;
  }
  if (name == "warn" || name == "warning") {
    return Level::Warning;
  }
  if (name == "error") {
    return Level::Error;
  }
  return Error{ErrorKind::InvalidArgument,
               "invalid logging level: " + std::string(name) + " (debug, info, warn, error)"};
}

Result<Format> parseFormat(std::string_view name) {
  if (name == "text") {
    return Format::Text;
  }
  if (name == "json") {
    return Format::Json;
  }
  return Error{ErrorKind::InvalidArgument,
               "invalid log format: " + std::string(name) + " (text, json)"};
}

void init(Level level, Format format) {
  auto logger = std::make_shared<spdlog::logger>("flotilla",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  g_format = format;
  setLevel(level);
}

void setLevel(Level level) { spdlog::set_level(spdLevel(level)); }

bool enabled(Level level) { return spdlog::should_log(spdLevel(level)); }

std::string render(Format format, Level level, std::string_view time, std::string_view message,
                   Fields fields) {
  if (format == Format::Json) {
    json::Json line = {{"time", time}, {"level", levelName(level)}, {"msg", message}};
    for (const auto& field : fields) {
      line[std::string(field.key)] = field.value;
    }
    return json::dump(line);
  }
  std::string line =
      fmt::format("time=\"{}\" level={} msg={}", time, levelName(level), json::quote(message));
  for (const auto& field : fields) {
    fmt::format_to(std::back_inserter(line), " {}={}", field.key, logfmtValue(field.value));
  }
  return line;
}

void write(Level level, std::string_view message, Fields fields) {
  if (enabled(level)) {
    // A string_view argument, so that braces in messages are never taken for a format.
    spdlog::default_logger_raw()->log(
        spdLevel(level), spdlog::string_view_t(render(g_format, level, now(), message, fields)));
  }
}

}  // namespace flotilla::log
