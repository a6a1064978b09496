#pragma once

#include <chrono>
#include <functional>

#include "common/event/reactor.h"

namespace flotilla::testing {

/// Runs `reactor` on this thread until `done()` holds, looked at every millisecond. False when it
/// does not within `limit`. For tests; may be called again.
bool runUntil(Reactor& reactor, const std::function<bool()>& done,
              std::chrono::milliseconds limit = std::chrono::seconds(20));

}  // namespace flotilla::testing
