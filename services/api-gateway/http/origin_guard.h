#pragma once

#include <string>

#include "common/error/result.h"
#include "common/http/exchange.h"

namespace flotilla::gateway {

/// Who can reach a listener.
enum class Exposure {
  Guarded,   // by file permissions or by TLS
  PlainTcp,  // everyone on the machine, web pages in its browsers included
};

/// Keeps browsers from using a plain tcp listener (decisions.md 14): the Host must be a loopback
/// name or an address, so that no name can be rebound to us, and an Origin must be `allowed_origin`
/// (--api-cors-header; "*" allows all, "" none).
/// Errors: PermissionDenied naming the header.
Result<void> checkOrigin(const http::Request& request, Exposure exposure,
                         const std::string& allowed_origin);

}  // namespace flotilla::gateway
