#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "registry-proxy/upstream/url.h"

namespace flotilla::registry {

/// Why nobody could be reached at `url`, in Go's words ("dial tcp 127.0.0.1:1: connect: connection
/// refused"): tries again, as an HTTP library does not tell. "" when it can be reached now.
std::string dialFailure(const Url& url, std::chrono::milliseconds timeout);

/// Whether a registry may be spoken to without TLS or with any certificate: its name, its
/// "host:port" or an address it resolves to is in `insecure` (names and CIDRs), or it is on this
/// host's loopback.
bool isInsecure(const Url& url, const std::vector<std::string>& insecure);

}  // namespace flotilla::registry
