#include "common/config/log_settings.h"

#include <CLI/CLI.hpp>

namespace flotilla::config {
namespace {

template <class T>
std::string refusalOf(const Result<T>& parsed) {
  return parsed ? "" : parsed.error().message();
}

}  // namespace

void declareLog(CLI::App& app, LogSettings& settings) {
  app.add_option("-l,--log-level", settings.level, "Log level: debug, info, warn, error")
      ->envname("FLOTILLA_LOG_LEVEL")
      ->check([](const std::string& level) { return refusalOf(log::parseLevel(level)); });
  app.add_option("--log-format", settings.format, "Log format: text, json")
      ->envname("FLOTILLA_LOG_FORMAT")
      ->check([](const std::string& format) { return refusalOf(log::parseFormat(format)); });
  app.add_flag("-D,--debug", settings.debug, "Enable debug mode");
}

Result<void> initLog(const LogSettings& settings) {
  FLO_TRY_ASSIGN(const auto level, log::parseLevel(settings.debug ? "debug" : settings.level));
  FLO_TRY_ASSIGN(const auto format, log::parseFormat(settings.format));
  log::init(level, format);
  return {};
}

}  // namespace flotilla::config
