#include "registry-proxy/refusal.h"

#include <array>

#include "common/json/json.h"

namespace flotilla::registry {
namespace {

struct Meaning {
  int status;
  const char* code;
  const char* message;
};

constexpr std::array kMeanings = {
    Meaning{400, "UNSUPPORTED", "bad request"},
    Meaning{401, "UNAUTHORIZED", "authentication required"},
    Meaning{403, "DENIED", "requested access to the resource is denied"},
    Meaning{404, "MANIFEST_UNKNOWN", "manifest unknown"},
    Meaning{405, "UNSUPPORTED", "The operation is unsupported."},
    Meaning{429, "TOOMANYREQUESTS", "too many requests"},
    Meaning{500, "UNKNOWN", "received unexpected HTTP status: 500 Internal Server Error"},
    Meaning{502, "UNKNOWN", "received unexpected HTTP status: 502 Bad Gateway"},
    Meaning{503, "UNAVAILABLE", "received unexpected HTTP status: 503 Service Unavailable"},
    Meaning{504, "UNKNOWN", "received unexpected HTTP status: 504 Gateway Timeout"},
};

}  // namespace

std::string Refusal::body() const {
  return "{\"errors\":[{\"code\":" + json::quote(code) + ",\"message\":" + json::quote(message) +
         "}]}\n";
}

Refusal Refusal::ofAnswer(int status, std::string_view body, std::string_view retry_after) {
  Refusal refusal{.status = status,
                  .code = "UNKNOWN",
                  .message = "received unexpected HTTP status: " + std::to_string(status)};
  refusal.retry_after = retry_after;
  for (const Meaning& meaning : kMeanings) {
    if (meaning.status == status) {
      refusal.code = meaning.code;
      refusal.message = meaning.message;
    }
  }
  const auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return refusal;
  }
  const auto errors = document->find("errors");
  if (errors != document->end() && errors->is_array() && !errors->empty() &&
      errors->front().is_object()) {
    refusal.code = json::stringOr(errors->front(), "code", refusal.code).value_or(refusal.code);
    refusal.message =
        json::stringOr(errors->front(), "message", refusal.message).value_or(refusal.message);
  }
  return refusal;
}

Refusal Refusal::ofError(const Error& error) {
  Refusal refusal{.status = 502, .code = "UNAVAILABLE", .message = error.message()};
  switch (error.kind()) {
    case ErrorKind::DeadlineExceeded:
      refusal.status = 504;
      break;
    case ErrorKind::Unauthenticated:
      refusal.status = 401;
      refusal.code = "UNAUTHORIZED";
      break;
    case ErrorKind::InvalidArgument:
      refusal.status = 502;
      break;
    case ErrorKind::Internal:
      refusal.status = 500;
      break;
    default:
      break;
  }
  refusal.cause = error.message();
  return refusal;
}

}  // namespace flotilla::registry
