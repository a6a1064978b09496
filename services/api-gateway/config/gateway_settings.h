#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "api-gateway/gateway_service.h"
#include "common/error/result.h"

namespace flotilla::gateway {

/// The gateway's settings, the same for `flotilla daemon` and `flotilla-api-gateway`.
struct GatewaySettings {
  std::vector<std::string> hosts;
  std::string group;
  std::string pid_file;
  bool tls = false;
  bool tls_verify = false;
  std::string tls_ca_cert, tls_cert, tls_key;
  std::string api_cors_header;
  bool insecure_tcp = false;
  bool access_log = false;
  int shutdown_timeout = 10;  // seconds
};

void declareGateway(CLI::App& app, GatewaySettings& settings);
/// Defaults and checks that need more than one option. Errors: InvalidArgument.
Result<void> finishGateway(GatewaySettings& settings);
GatewayOptions gatewayOptions(const GatewaySettings& settings);

}  // namespace flotilla::gateway
