#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::http {

enum class PlusSign { Literal, Space };

/// %-escapes decoded; in a query '+' is a space. Errors: InvalidArgument naming a bad escape.
Result<std::string> percentDecode(std::string_view text, PlusSign plus);

/// Everything but letters, digits and "-._~" escaped (RFC 3986, 2.3).
std::string percentEncode(std::string_view text);

}  // namespace flotilla::http
