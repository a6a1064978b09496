#pragma once

#include <array>

#include "common/net/stream.h"

namespace flotilla::net {

/// For a stream that is only written to: drops what its reader sends. True when the reader has
/// ended its output or the stream broke. For on_readable.
inline bool readerHasEnded(Stream& stream) {
  std::array<char, 256> ignored{};
  const auto got = stream.read(ignored.data(), ignored.size());
  return got ? *got == 0 : got.error().kind() != ErrorKind::Unavailable;
}

}  // namespace flotilla::net
