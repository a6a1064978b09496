#include "api-gateway/config/gateway_process.h"

#include <string>

#include "common/log/log.h"
#include "common/process/systemd.h"

namespace flotilla::gateway {

void beginService(GatewayService& gateway, const GatewaySettings& settings) {
  gateway.open();
  process::notifyServiceManager("READY=1");
  for (const std::string& host : settings.hosts) {
    log::info("API listens", {{"host", host}});
  }
}

void endService(GatewayService& gateway, Reactor& reactor, const GatewaySettings& settings) {
  log::info("shutting down", {{"deadline_s", std::to_string(settings.shutdown_timeout)}});
  process::notifyServiceManager("STOPPING=1");
  gateway.stop([&reactor] { reactor.stop(); });
}

}  // namespace flotilla::gateway
