#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "api-gateway/config/gateway_settings.h"
#include "common/error/result.h"
#include "common/log/log.h"
#include "engine/config/engine_settings.h"

namespace flotilla::daemon {

/// The settings of `flotilla daemon`: command line over daemon.json (dockerd's key names) over
/// FLOTILLA_* environment variables.
/// pid_file "" is <exec-root>/flotilla.pid.
struct DaemonOptions : gateway::GatewaySettings, engine::EngineSettings {
  // registries
  std::vector<std::string> registry_mirrors, insecure_registries;
  std::string registry_proxy;  // address of one that runs elsewhere; "" is the daemon's own
  std::string registry_proxy_user = "nobody";
  std::string registry_cache_size = "0";
  // log
  log::Level log_level = log::Level::Info;
  log::Format log_format = log::Format::Text;
};

/// Nothing to run when --help, --version or --validate was answered on `out`.
/// Errors: InvalidArgument naming the option or key.
Result<std::optional<DaemonOptions>> parseDaemonOptions(int argc, const char* const* argv,
                                                        std::ostream& out);

}  // namespace flotilla::daemon
