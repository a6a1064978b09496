#include "engine/images/unpack/layer_file.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace flotilla::engine::unpack {

Result<std::size_t> LayerFile::read(char* buffer, std::size_t size) {
  while (offset_ >= known_.available) {
    if (known_.final != 0) {
      return std::size_t{0};
    }
    FLO_TRY(waitForMore());
  }
  const std::uint64_t want = std::min<std::uint64_t>(size, known_.available - offset_);
  ssize_t got = 0;
  do {
    got = ::pread(file_, buffer, want, static_cast<off_t>(offset_));
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return sysError("read the layer", errno);
  }
  if (got == 0) {
    return Error{ErrorKind::Internal, "the layer's file is shorter than announced"};
  }
  offset_ += static_cast<std::uint64_t>(got);
  return static_cast<std::size_t>(got);
}

Result<void> LayerFile::waitForMore() {
  Progress update;
  ssize_t got = 0;
  do {
    got = ::recv(control_, &update, sizeof update, 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return sysError("wait for the engine", errno);
  }
  if (got != static_cast<ssize_t>(sizeof update)) {
    return Error{ErrorKind::Internal, "the engine is gone"};
  }
  known_.available = std::max(known_.available, update.available);
  known_.final |= update.final;
  return {};
}

}  // namespace flotilla::engine::unpack
