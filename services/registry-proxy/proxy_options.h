#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/log/log.h"
#include "registry-proxy/proxy_service.h"

namespace flotilla::registry {

/// The settings of flotilla-registry-proxy: command line over its JSON file.
struct ProxyCommand {
  ProxyOptions service;
  std::vector<std::string> hosts;  // where to listen
  int listen_fd = -1;              // a listening socket that was inherited, instead
  std::string user = "nobody";     // to become when started as root
  std::string tls_ca_cert, tls_cert, tls_key;
  log::Level log_level = log::Level::Info;
  log::Format log_format = log::Format::Text;
};

/// Nothing to run when --help, --version or --validate was answered on `out`.
/// Errors: InvalidArgument naming the option or key.
Result<std::optional<ProxyCommand>> parseProxyCommand(int argc, const char* const* argv, std::ostream& out);

}  // namespace flotilla::registry
