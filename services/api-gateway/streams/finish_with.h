#pragma once

#include <string>

#include "common/net/stream.h"

namespace flotilla::gateway {

/// Writes `text` and then closes the stream properly, however slowly its peer reads; keeps the
/// stream alive until then. On the stream's thread.
void finishWith(net::StreamPtr stream, std::string text);

}  // namespace flotilla::gateway
