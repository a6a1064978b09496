#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace flotilla::engine {

/// Nanoseconds since the epoch; tests pass their own. Thread-safe.
using WallClock = std::function<std::int64_t()>;

inline std::int64_t systemNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace flotilla::engine
