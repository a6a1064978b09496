#pragma once

#include <string_view>

#include "api-gateway/routes/route.h"
#include "api-gateway/streams/stream_call.h"

namespace flotilla::gateway {

/// Content type of a container's output: multiplexed streams are named since API 1.42.
std::string_view streamType(ApiVersion version, bool tty);

/// Attach leaves HTTP with a bare head; before it is established even its errors are plain text.
HijackStyle attachStyle(const Call& call);

/// Exec start leaves HTTP with the standard headers. Only an exec that cannot be started at all is
/// an error response: what the runtime says about the program is the stream's first and last frame.
HijackStyle execStyle(const Call& call, bool tty);

/// Resizes a terminal (container or exec): checks h and w as Docker does.
void answerResize(const Call& call);

}  // namespace flotilla::gateway
