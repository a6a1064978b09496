#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::model {

/// A set of Linux capabilities, bit N = capability number N.
using CapabilitySet = std::uint64_t;

/// Every capability with a name here (up to CAP_CHECKPOINT_RESTORE).
CapabilitySet knownCapabilities();
/// What a container has when nothing is asked (dockerd 28.5's list).
CapabilitySet defaultCapabilities();

/// "CAP_NET_ADMIN", in ascending order of numbers.
std::vector<std::string> capabilityNames(CapabilitySet set);
/// "NET_ADMIN", "cap_net_admin"... Errors: InvalidArgument `unknown capability: "CAP_X"`.
Result<CapabilitySet> parseCapability(std::string_view name);

/// The set that CapAdd, CapDrop and Privileged ask for, out of `available` (the engine's own
/// bounding set). "ALL" means all of `available`; an explicitly added one that is not there is an
/// error, missing default ones are left out. Errors: InvalidArgument in dockerd's words
/// ("invalid CapAdd: ...").
Result<CapabilitySet> resolveCapabilities(const std::vector<std::string>& add,
                                          const std::vector<std::string>& drop, bool privileged,
                                          CapabilitySet available);

}  // namespace flotilla::model
