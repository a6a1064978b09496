#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "common/config/log_settings.h"
#include "common/error/result.h"
#include "common/process/service_sockets.h"

namespace flotilla::discovery {

/// The settings of flotilla-discovery: command line over its JSON file.
struct DiscoveryCommand {
  process::ServiceListen listen;
  std::string folder = "/var/lib/flotilla-discovery";
  std::string user = "nobody";  // to become when started as root
  config::LogSettings log;
};

/// Nothing to run when --help, --version or --validate was answered on `out`.
/// Errors: InvalidArgument naming the option or key.
Result<std::optional<DiscoveryCommand>> parseDiscoveryCommand(int argc, const char* const* argv,
                                                              std::ostream& out);

}  // namespace flotilla::discovery
