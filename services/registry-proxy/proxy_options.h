#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "common/config/log_settings.h"
#include "common/error/result.h"
#include "common/process/service_sockets.h"
#include "registry-proxy/proxy_service.h"

namespace flotilla::registry {

/// The settings of flotilla-registry-proxy: command line over its JSON file.
struct ProxyCommand {
  ProxyOptions service;
  process::ServiceListen listen;
  int parent = 0;               // ends with this process, which started it
  std::string user = "nobody";  // to become when started as root
  config::LogSettings log;
};

/// Nothing to run when --help, --version or --validate was answered on `out`.
/// Errors: InvalidArgument naming the option or key.
Result<std::optional<ProxyCommand>> parseProxyCommand(int argc, const char* const* argv,
                                                      std::ostream& out);

}  // namespace flotilla::registry
