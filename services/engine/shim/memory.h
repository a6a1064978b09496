#pragma once

#include <cstddef>

namespace flotilla::engine::shim {

/// Forgets the content of the whole pages inside [begin, begin + size): they read as zero later.
void dropPages(char* begin, std::size_t size);

/// Gives back to the kernel what this process can do without while it sleeps: free heap, and the
/// mapped pages of its own program (they are read again from the page cache when needed).
void returnMemory();

}  // namespace flotilla::engine::shim
