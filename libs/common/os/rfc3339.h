#pragma once

#include <cstdint>
#include <string>

namespace flotilla {

/// Time since the epoch as the Docker API writes it: UTC, "2026-11-22T02:36:17.08444463Z", up to
/// nine digits of fraction without trailing zeros.
std::string rfc3339(std::int64_t nanoseconds);
/// "2026-11-22T02:36:17Z".
std::string rfc3339Seconds(std::int64_t seconds);
/// Wall clock, nanoseconds since the epoch.
std::int64_t wallClockNanoseconds();

}  // namespace flotilla
