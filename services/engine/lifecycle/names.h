#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::engine {

/// A name without its slash. Errors: InvalidArgument "Invalid container name (x), only
/// [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed".
Result<std::string> checkContainerName(std::string_view name);

/// "brisk_harbour": for containers created without a name. `attempt` > 0 adds a digit.
std::string randomName(int attempt);

}  // namespace flotilla::engine
