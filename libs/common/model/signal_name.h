#pragma once

#include <string_view>

#include "common/error/result.h"

namespace flotilla::model {

/// "KILL", "SIGKILL", "sigkill", "9", "RTMIN+3". Errors: InvalidArgument "invalid signal: X".
Result<int> parseSignal(std::string_view text);

}  // namespace flotilla::model
