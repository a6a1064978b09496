#pragma once

#include <cstdint>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::model {

/// "10m", "1.5g", "512", "64KiB": a number of bytes with binary units. Errors: InvalidArgument
/// "invalid size: 'x'".
Result<std::int64_t> parseByteSize(std::string_view text);

}  // namespace flotilla::model
