#pragma once

#include <CLI/App.hpp>
#include <string>

#include "common/error/result.h"
#include "common/log/log.h"

namespace flotilla::config {

/// -l/--log-level, --log-format and -D/--debug, the same for every service.
struct LogSettings {
  std::string level = "info";
  std::string format = "text";
  bool debug = false;
};

/// Options that refuse other levels and formats.
void declareLog(CLI::App& app, LogSettings& settings);
/// Starts the process' log with them. Errors: InvalidArgument.
Result<void> initLog(const LogSettings& settings);

}  // namespace flotilla::config
