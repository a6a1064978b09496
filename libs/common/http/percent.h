#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::http {

enum class PlusSign { Literal, Space };

/// %-escapes decoded; in a query '+' is a space. Errors: InvalidArgument naming a bad escape.
Result<std::string> percentDecode(std::string_view text, PlusSign plus);

}  // namespace flotilla::http
