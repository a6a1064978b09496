#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// The engine's settings, the same for `flotilla daemon` and `flotilla-engine`.
struct EngineSettings {
  std::string data_root = "/var/lib/flotilla";
  std::string exec_root = "/run/flotilla";
  std::string name;  // the host's after finishEngine, when none is given
  std::vector<std::string> labels;
  std::string bip;
  int max_concurrent_downloads = 3;
  int max_download_attempts = 5;
};

void declareEngine(CLI::App& app, EngineSettings& settings);
/// Defaults and checks that no single option has. Errors: InvalidArgument.
Result<void> finishEngine(EngineSettings& settings);

}  // namespace flotilla::engine
