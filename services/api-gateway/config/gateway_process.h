#pragma once

#include "api-gateway/config/gateway_settings.h"
#include "api-gateway/gateway_service.h"
#include "common/event/reactor.h"

namespace flotilla::gateway {

/// What a process with a gateway does once it is ready: opens the gate, and tells the service
/// manager and the log.
void beginService(GatewayService& gateway, const GatewaySettings& settings);
/// And when it shall end: says so, lets requests run out and stops the reactor. May be called
/// again.
void endService(GatewayService& gateway, Reactor& reactor, const GatewaySettings& settings);

}  // namespace flotilla::gateway
