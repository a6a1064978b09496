#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "common/http/exchange.h"

namespace flotilla::gateway {

inline constexpr std::string_view kJsonType = "application/json";
inline constexpr std::string_view kPlainType = "text/plain; charset=utf-8";

/// The only writer of failures: `{"message": ...}` with the status of the error's kind.
http::Response errorResponse(const Error& error);

/// What a client may want to know besides its answer, as Warning headers.
void addWarnings(http::Response& response, const std::vector<std::string>& warnings);

/// As dockerd's encoder writes documents: with a newline at the end.
http::Response jsonResponse(int status, std::string body);

http::Response textResponse(int status, std::string_view content_type, std::string body);

/// What dockerd answers for paths and methods it does not know.
http::Response pageNotFound();

}  // namespace flotilla::gateway
