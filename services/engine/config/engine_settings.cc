#include "engine/config/engine_settings.h"

#include <CLI/CLI.hpp>

#include "common/os/host_name.h"

namespace flotilla::engine {

void declareEngine(CLI::App& app, EngineSettings& settings) {
  app.add_option("--data-root", settings.data_root, "Root directory of persistent state")
      ->envname("FLOTILLA_DATA_ROOT");
  app.add_option("--exec-root", settings.exec_root, "Root directory for execution state files")
      ->envname("FLOTILLA_EXEC_ROOT");
  app.add_option("--name", settings.name, "Name of the engine, the host's by default");
  app.add_option("--label,--labels", settings.labels, "Set key=value labels to the engine");
  app.add_option("--bip", settings.bip,
                 "IP address and netmask of the default bridge, in CIDR notation");
  app.add_option("--max-concurrent-downloads", settings.max_concurrent_downloads,
                 "Layers downloaded at a time")
      ->check(CLI::Range(1, 100));
  app.add_option("--max-download-attempts", settings.max_download_attempts,
                 "Attempts at each layer of a pull")
      ->check(CLI::Range(1, 100));
}

Result<void> finishEngine(EngineSettings& settings) {
  for (const std::string& label : settings.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorKind::InvalidArgument, "bad attribute format: " + label};
    }
  }
  if (settings.name.empty()) {
    settings.name = hostName();
  }
  return {};
}

}  // namespace flotilla::engine
