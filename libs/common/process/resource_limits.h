#pragma once

namespace flotilla::process {

/// For services, which are to be small when idle: few allocation arenas, and freed memory goes back
/// to the kernel. At the start of main.
void limitMemory();

/// As many descriptors as the hard limit allows: every connection and every stream is one.
void raiseDescriptorLimit();

}  // namespace flotilla::process
