#pragma once

#include <vector>

#include "common/error/result.h"
#include "engine/network/published_port.h"

namespace flotilla::engine {

/// Makes the kernel forget the UDP flows to the host ports of `ports`. A flow keeps the translation
/// it began with, so a client that asked before the port was published, or asked the container that
/// had it before, would go on asking there. Does nothing without UDP ports.
Result<void> forgetUdpFlows(const std::vector<PublishedPort>& ports);

}  // namespace flotilla::engine
