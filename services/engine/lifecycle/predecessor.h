#pragma once

#include <string>

#include "engine/lifecycle/lifecycle_parts.h"

namespace flotilla::engine {

/// Before a container is started or prepared, and without a lock or a turn of the start gate: waits
/// for the shim of its last run, which slow readers may keep for seconds; others' starts go ahead
/// meanwhile. Errors: Unavailable when it does not leave.
Result<void> awaitPredecessor(LifecycleParts& parts, const std::string& id);

}  // namespace flotilla::engine
