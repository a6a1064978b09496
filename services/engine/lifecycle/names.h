#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::engine {

/// A name without its slash. Errors: InvalidArgument "Invalid container name (x), only
/// [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed".
Result<std::string> checkContainerName(std::string_view name);

}  // namespace flotilla::engine
