#pragma once

#include <cstddef>
#include <cstdint>

#include "common/error/result.h"
#include "engine/images/unpack/protocol.h"

namespace flotilla::engine::unpack {

/// A layer's file that may still be growing: reads wait until the engine says that more is there.
/// One thread.
class LayerFile {
 public:
  LayerFile(int file_fd, int control_fd) : file_(file_fd), control_(control_fd) {}

  /// Bytes read, 0 at the end. Errors: Internal (disk; the engine is gone).
  Result<std::size_t> read(char* buffer, std::size_t size);

 private:
  Result<void> waitForMore();

  int file_;
  int control_;
  std::uint64_t offset_ = 0;
  Progress known_;
};

}  // namespace flotilla::engine::unpack
