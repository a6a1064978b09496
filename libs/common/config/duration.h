#pragma once

#include <chrono>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::config {

/// "1h2m3.5s", "500ms", "0": Go's durations. Errors: InvalidArgument `time: invalid duration "x"`.
Result<std::chrono::milliseconds> parseDuration(std::string_view text);

}  // namespace flotilla::config
