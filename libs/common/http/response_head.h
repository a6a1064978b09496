#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/exchange.h"

namespace flotilla::http {

/// How the end of a response's body is told.
enum class Framing {
  None,     // no body: HEAD, 204, 304
  Counted,  // Content-Length
  Chunked,
  UntilClose,  // HTTP/1.0 without a length
};

struct HeadOptions {
  Framing framing = Framing::Counted;
  std::optional<std::uint64_t> content_length = {};
  bool close = false;     // the connection ends with this response
  bool http_1_0 = false;  // of the request: keeping alive must be said
};

/// "Not Found" for 404 and so on.
std::string_view reasonPhrase(int status);

/// Whether a response of this status has a body at all.
bool statusHasBody(int status);

/// Status line and header block, with Date and what `options` asks for. Length, coding and
/// connection fields of `response` are replaced.
void appendHead(std::string& out, const Response& response, const HeadOptions& options);

/// One chunk of chunked coding; `bytes` is not empty.
void appendChunk(std::string& out, std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// {"message": ...} with the status: Docker's shape of an error.
Response errorResponse(int status, std::string_view message);

}  // namespace flotilla::http
