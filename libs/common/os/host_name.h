#pragma once

#include <string>

namespace flotilla {

/// What this host calls itself, "localhost" when the kernel does not say.
std::string hostName();

}  // namespace flotilla
