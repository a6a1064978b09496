#include <array>
#include <utility>

#include "api-gateway/http/reply.h"
#include "api-gateway/routes/route_table.h"
#include "api-gateway/streams/stream_call.h"

namespace flotilla::gateway {
namespace {

constexpr std::array kEvents = {Parameter{"since"}, Parameter{"until"}, Parameter{"filters"}};

http::Headers pingHeaders() {
  http::Headers headers;
  headers.add("Builder-Version", "1");
  headers.add("Cache-Control", "no-cache, no-store, must-revalidate");
  headers.add("Pragma", "no-cache");
  headers.add("Swarm", "inactive");
  headers.add("Content-Type", kPlainType);
  return headers;
}

/// Answered here, on the loop's thread: a ping tells that the gateway lives.
void ping(const Call& call) {
  static const http::Headers kHeaders = pingHeaders();
  const bool has_body = call.request().method != "HEAD";
  http::Response response;
  response.headers.add(kHeaders);
  response.body = has_body ? "OK" : "";
  call.exchange->respond(std::move(response));
}

void events(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  answerStream(call.dispatch, call.exchange, *std::move(job), [](const Established& message) {
    http::Response head = textResponse(200, kJsonType, "");
    addWarnings(head, message.env.getList("warnings"));
    return head;
  });
}

constexpr std::array kSystemRoutes = {
    Route{"GET", "/_ping", "", ping},
    Route{"HEAD", "/_ping", "", ping},
    Route{"GET", "/version", "version", answerQuery},
    Route{"GET", "/info", "info", answerQuery},
    Route{"GET", "/events", "events", events, kEvents},
};

}  // namespace

std::span<const Route> systemRoutes() { return kSystemRoutes; }

}  // namespace flotilla::gateway
