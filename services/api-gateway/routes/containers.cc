#include <array>
#include <cctype>
#include <string>
#include <utility>

#include "api-gateway/http/reply.h"
#include "api-gateway/routes/route_table.h"
#include "api-gateway/routes/stream_heads.h"
#include "api-gateway/streams/document_call.h"
#include "api-gateway/streams/stream_call.h"
#include "common/os/random.h"

namespace flotilla::gateway {
namespace {

using enum ParameterKind;

constexpr std::array kList = {Parameter{"all"}, Parameter{"limit", Integer}, Parameter{"size"},
                              Parameter{"filters"}};
constexpr std::array kCreate = {Parameter{"name"}, Parameter{"platform"}};
constexpr std::array kInspect = {Parameter{"size"}};
constexpr std::array kStart = {Parameter{"detachKeys"}};
constexpr std::array kStop = {Parameter{"signal"}, Parameter{"t", Integer}};
constexpr std::array kKill = {Parameter{"signal"}};
constexpr std::array kWait = {Parameter{"condition"}};
constexpr std::array kRemove = {Parameter{"v"}, Parameter{"force"}, Parameter{"link"}};
constexpr std::array kRename = {Parameter{"name"}};
constexpr std::array kTop = {Parameter{"ps_args"}};
constexpr std::array kStats = {Parameter{"stream"}, Parameter{"one-shot"}};
constexpr std::array kLogs = {Parameter{"follow"},     Parameter{"stdout"}, Parameter{"stderr"},
                              Parameter{"since"},      Parameter{"until"},  Parameter{"tail"},
                              Parameter{"timestamps"}, Parameter{"details"}};
constexpr std::array kAttach = {Parameter{"logs"},   Parameter{"stream"}, Parameter{"stdin"},
                                Parameter{"stdout"}, Parameter{"stderr"}, Parameter{"detachKeys"}};
constexpr std::array kResize = {Parameter{"h"}, Parameter{"w"}};

/// Docker shows the first twelve digits of an id as a host name, which must not look like a number.
std::string newContainerId() {
  constexpr std::size_t kShort = 12;
  for (;;) {
    std::string id = randomHex(32);
    if (id.find_first_not_of("0123456789") < kShort) {
      return id;
    }
  }
}

void create(const Call& call) {
  readRequiredJson(call, [call](std::string body) {
    auto job = makeJob(call);
    if (!job) {
      refuse(call, job.error());
      return;
    }
    job->env.set("id", newContainerId());
    job->body = std::move(body);
    answerDocument(call.dispatch, call.exchange, *std::move(job), call.route.success);
  });
}

void start(const Call& call) {
  const http::Headers& headers = call.request().headers;
  const std::string_view length = headers.get("Content-Length");
  // Seven bytes are room for an empty or null document, as dockerd allows.
  if (headers.has("Transfer-Encoding") || length.size() > 1 || length > "7") {
    refuse(call, Error{ErrorKind::InvalidArgument,
                       "starting container with non-empty request body was deprecated since API "
                       "v1.22 and removed in v1.24"});
    return;
  }
  answerQuery(call);
}

void wait(const Call& call) {
  constexpr ApiVersion kConditionsSince{1, 30};
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  if (call.version < kConditionsSince) {
    // Older clients know neither conditions nor headers that come before the exit.
    job->env.set("condition", "");
    answerDocument(call.dispatch, call.exchange, *std::move(job), call.route.success);
    return;
  }
  const std::string condition = job->env.get("condition");
  if (!condition.empty() && condition != "not-running" && condition != "next-exit" &&
      condition != "removed") {
    refuse(call, Error{ErrorKind::InvalidArgument, "invalid condition: \"" + condition + "\""});
    return;
  }
  answerLater(call.dispatch, call.exchange, *std::move(job));
}

void rename(const Call& call) {
  if (call.request().query.get("name").empty()) {
    refuse(call, Error{ErrorKind::InvalidArgument, "Neither old nor new names may be empty"});
    return;
  }
  answerQuery(call);
}

void logs(const Call& call) {
  const http::Query& query = call.request().query;
  if (!queryBool(query, "stdout") && !queryBool(query, "stderr")) {
    refuse(call, Error{ErrorKind::InvalidArgument,
                       "Bad parameters: you must choose at least one stream"});
    return;
  }
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  answerStream(call.dispatch, call.exchange, *std::move(job),
               [version = call.version](const Established& message) {
                 return textResponse(200, streamType(version, message.env.getBool("tty")), "");
               });
}

void stats(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  if (!job->env.has("stream")) {
    job->env.setBool("stream", true);
  }
  answerStream(call.dispatch, call.exchange, *std::move(job),
               [](const Established&) { return textResponse(200, kJsonType, ""); });
}

void attach(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  answerHijack(call.dispatch, call.exchange, *std::move(job), attachStyle(call));
}

constexpr std::array kContainerRoutes = {
    Route{"GET", "/containers/json", "container_list", answerQuery, kList},
    Route{"POST", "/containers/create", "container_create", create, kCreate,
          "container.CreateRequest", 201},
    Route{"GET", "/containers/{name:.*}/json", "container_inspect", answerQuery, kInspect},
    Route{"POST", "/containers/{name:.*}/start", "container_start", start, kStart, {}, 204},
    Route{"POST", "/containers/{name:.*}/stop", "container_stop", answerQuery, kStop, {}, 204},
    Route{
        "POST", "/containers/{name:.*}/restart", "container_restart", answerQuery, kStop, {}, 204},
    Route{"POST", "/containers/{name:.*}/kill", "container_kill", answerQuery, kKill, {}, 204},
    Route{"POST", "/containers/{name:.*}/pause", "container_pause", answerQuery, {}, {}, 204},
    Route{"POST", "/containers/{name:.*}/unpause", "container_unpause", answerQuery, {}, {}, 204},
    Route{"POST", "/containers/{name:.*}/wait", "container_wait", wait, kWait},
    Route{"POST", "/containers/{name:.*}/rename", "container_rename", rename, kRename, {}, 204},
    Route{"POST",
          "/containers/{name:.*}/update",
          "container_update",
          answerJson,
          {},
          "container.UpdateConfig"},
    Route{"GET", "/containers/{name:.*}/top", "container_top", answerQuery, kTop},
    Route{"GET", "/containers/{name:.*}/stats", "container_stats", stats, kStats},
    Route{"GET", "/containers/{name:.*}/logs", "container_logs", logs, kLogs},
    Route{"POST", "/containers/{name:.*}/attach", "container_attach", attach, kAttach},
    Route{"POST", "/containers/{name:.*}/resize", "container_resize", answerResize, kResize},
    Route{"DELETE", "/containers/{name:.*}", "container_remove", answerQuery, kRemove, {}, 204},
};

}  // namespace

std::span<const Route> containerRoutes() { return kContainerRoutes; }

}  // namespace flotilla::gateway
