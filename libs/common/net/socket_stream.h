#pragma once

#include "common/event/reactor.h"
#include "common/net/stream.h"
#include "common/os/unique_fd.h"

namespace flotilla::net {

/// A connected, non-blocking unix or TCP socket as a Stream. Never raises SIGPIPE.
StreamPtr makeSocketStream(Reactor& reactor, UniqueFd socket);

/// Closes so that a TCP peer gets a reset instead of an end of input (SO_LINGER 0).
void resetConnection(UniqueFd socket);

}  // namespace flotilla::net
