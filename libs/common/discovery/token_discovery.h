#pragma once

#include <memory>

#include "common/discovery/discovery.h"
#include "common/discovery/token_client.h"

namespace flotilla {

/// A discovery service as a source: asked every heartbeat, by a thread of its own. Announcing
/// returns at once; what fails later goes to options.announce_failed.
std::unique_ptr<Discovery> makeTokenDiscovery(TokenClient client, Reactor& reactor,
                                              const DiscoveryOptions& options);

}  // namespace flotilla
