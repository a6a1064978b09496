#include <array>
#include <string>
#include <utility>

#include "api-gateway/http/reply.h"
#include "api-gateway/routes/route_table.h"
#include "api-gateway/routes/stream_heads.h"
#include "api-gateway/streams/document_call.h"
#include "api-gateway/streams/stream_call.h"
#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

constexpr std::array kExecResize = {Parameter{"h"}, Parameter{"w"}};

void startExec(const Call& call, std::string body) {
  auto job = makeJob(call);
  auto options = json::parse(body);
  auto detach = options ? json::boolOr(*options, "Detach", false) : std::move(options).error();
  auto tty = options ? json::boolOr(*options, "Tty", false) : false;
  for (const auto* failure : {job ? nullptr : &job.error(), detach ? nullptr : &detach.error(),
                              tty ? nullptr : &tty.error()}) {
    if (failure != nullptr) {
      refuse(call, *failure);
      return;
    }
  }
  job->body = std::move(body);
  if (*detach) {
    answerDocument(call.dispatch, call.exchange, *std::move(job), call.route.success);
  } else {
    answerHijack(call.dispatch, call.exchange, *std::move(job), execStyle(call, *tty));
  }
}

void readAndStart(const Call& call) {
  readJson(call, [call](std::string body) { startExec(call, std::move(body)); });
}

/// The exit code of an exec whose output did not arrive is no answer.
void answerInspect(const Call& call) {
  if (const auto whole = call.dispatch.cut_streams.take(call.holes.front()); !whole) {
    refuse(call, whole.error());
    return;
  }
  answerQuery(call);
}

constexpr std::array kExecRoutes = {
    Route{"POST",
          "/containers/{name:.*}/exec",
          "exec_create",
          answerJson,
          {},
          "container.ExecOptions",
          201},
    Route{"POST",
          "/exec/{id:.*}/start",
          "exec_start",
          readAndStart,
          {},
          "container.ExecStartOptions"},
    Route{"POST", "/exec/{id:.*}/resize", "exec_resize", answerResize, kExecResize},
    Route{"GET", "/exec/{id:.*}/json", "exec_inspect", answerInspect},
};

}  // namespace

std::span<const Route> execRoutes() { return kExecRoutes; }

}  // namespace flotilla::gateway
