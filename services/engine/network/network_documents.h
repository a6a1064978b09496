#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/network/network_manager.h"
#include "engine/network/network_records.h"

namespace flotilla::engine {

/// The parts of a bridge's document that come from the daemon's options.
struct BridgeOptions {
  std::string name;
  int mtu = 1500;
};

/// The document of GET /networks/{id}, fields as dockerd 28.5's.
std::string networkDocument(const NetworkRecord& record, const BridgeOptions& bridge,
                            const std::vector<RunningEndpoint>& running);
/// The document of GET /networks: dockerd shows no containers there.
std::string networkListDocument(const std::vector<NetworkRecord>& records,
                                const BridgeOptions& bridge);

/// Errors: InvalidArgument (Internal for a bad "type", as dockerd) in Docker's words.
Result<void> checkNetworkFilters(const NetworkFilters& filters);
/// True when the record passes every filter. `filters` were checked.
bool matchesNetworkFilters(const NetworkRecord& record, const NetworkFilters& filters);

}  // namespace flotilla::engine
