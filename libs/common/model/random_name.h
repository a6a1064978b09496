#pragma once

#include <string>

namespace flotilla::model {

/// "brisk_shackleton": for containers created without a name. `attempt` > 0 adds a digit.
std::string randomName(int attempt);

}  // namespace flotilla::model
