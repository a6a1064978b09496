#include "api-gateway/http/reply.h"

#include <utility>

#include "common/json/json.h"

namespace flotilla::gateway {

http::Response textResponse(int status, std::string_view content_type, std::string body) {
  http::Response response;
  response.status = status;
  response.headers.add("Content-Type", content_type);
  response.body = std::move(body);
  return response;
}

void addWarnings(http::Response& response, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) {
    response.headers.add("Warning", "299 flotilla " + json::quote(warning));
  }
}

http::Response jsonResponse(int status, std::string body) {
  if (!body.ends_with('\n')) {
    body += '\n';
  }
  return textResponse(status, kJsonType, std::move(body));
}

http::Response errorResponse(const Error& error) {
  const int status = httpStatus(error.kind());
  if (error.kind() == ErrorKind::NotModified) {
    http::Response response;
    response.status = status;
    return response;
  }
  http::Response response =
      jsonResponse(status, "{\"message\":" + json::quote(error.message()) + "}");
  if (error.retryAfter().count() > 0) {
    response.headers.add("Retry-After", std::to_string(error.retryAfter().count()));
  }
  return response;
}

http::Response pageNotFound() {
  return errorResponse(Error{ErrorKind::NotFound, "page not found"});
}

}  // namespace flotilla::gateway
