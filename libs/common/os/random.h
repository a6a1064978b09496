#pragma once

#include <cstddef>
#include <string>

namespace flotilla {

/// `bytes` random bytes of the kernel as lower-case hex digits (twice as many). Thread-safe.
std::string randomHex(std::size_t bytes);

}  // namespace flotilla
