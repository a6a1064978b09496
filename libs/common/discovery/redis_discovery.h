#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/discovery/discovery.h"

namespace flotilla {

/// A Redis server as a source, best the job queue's own: no discovery service is needed then. `url`
/// as RedisTarget takes it. Entries are members of the sorted set `flotilla:{<cluster>}:members`,
/// scored with the end of their lifetime by Redis' clock. What was announced here is announced
/// again when the connection comes back, for as long as it holds. Errors: InvalidArgument (URL,
/// files).
Result<std::unique_ptr<Discovery>> makeRedisDiscovery(std::string_view url, Reactor& reactor,
                                                      const DiscoveryOptions& options);

/// The key of a cluster's members.
std::string membersKey(const std::string& cluster);

}  // namespace flotilla
