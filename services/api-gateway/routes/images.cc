#include <array>
#include <string>
#include <utility>
#include <vector>

#include "api-gateway/http/reply.h"
#include "api-gateway/routes/route_table.h"
#include "api-gateway/streams/stream_call.h"

namespace flotilla::gateway {
namespace {

using enum ParameterKind;

constexpr std::array kImageList = {Parameter{"all"}, Parameter{"filters"}, Parameter{"shared-size"},
                                   Parameter{"digests"}, Parameter{"manifests"}};
constexpr std::array kImageInspect = {Parameter{"manifests"}, Parameter{"platform"}};
constexpr std::array kHistory = {Parameter{"platform"}};
constexpr std::array kTag = {Parameter{"repo"}, Parameter{"tag"}};
constexpr std::array kImageRemove = {Parameter{"force"}, Parameter{"noprune"},
                                     Parameter{"platforms", List}};
constexpr std::array kLoad = {Parameter{"quiet"}, Parameter{"platform", List}};
constexpr std::array kSave = {Parameter{"platform", List}};
constexpr std::array kImport = {Parameter{"repo"}, Parameter{"tag"}, Parameter{"message"},
                                Parameter{"changes", List}, Parameter{"platform"}};

void save(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  if (job->args.empty()) {
    job->args = call.request().query.all("names");
  }
  answerStream(call.dispatch, call.exchange, *std::move(job),
               [](const Established&) { return textResponse(200, "application/x-tar", ""); });
}

void upload(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  answerUpload(call.dispatch, call.exchange, *std::move(job), textResponse(200, kJsonType, ""));
}

void pull(const Call& call) {
  auto job = makeJob(call);
  if (!job) {
    refuse(call, job.error());
    return;
  }
  job->name = "image_create";
  job->env.set("fromImage", call.request().query.get("fromImage"));
  job->env.set("registryAuth", std::string(call.request().headers.get("X-Registry-Auth")));
  answerStream(call.dispatch, call.exchange, *std::move(job),
               [](const Established&) { return textResponse(200, kJsonType, ""); });
}

/// One endpoint, two operations: pull (fromImage) and import (fromSrc).
void createImage(const Call& call) {
  const http::Query& query = call.request().query;
  if (!query.get("fromImage").empty()) {
    pull(call);
    return;
  }
  if (query.get("fromSrc") != "-") {
    refuse(call, Error{ErrorKind::NotImplemented,
                       "POST /images/create?fromSrc=" + query.get("fromSrc") +
                           " is not implemented: only fromSrc=- is, with the archive as the body"});
    return;
  }
  upload(call);
}

constexpr std::array kImageRoutes = {
    Route{"GET", "/images/json", "image_list", answerQuery, kImageList},
    Route{"GET", "/images/get", "image_save", save, kSave},
    Route{"POST", "/images/load", "image_load", upload, kLoad},
    Route{"POST", "/images/create", "image_import", createImage, kImport},
    Route{"GET", "/images/{name:.*}/get", "image_save", save, kSave},
    Route{"GET", "/images/{name:.*}/json", "image_inspect", answerQuery, kImageInspect},
    Route{"GET", "/images/{name:.*}/history", "image_history", answerQuery, kHistory},
    Route{"POST", "/images/{name:.*}/tag", "image_tag", answerQuery, kTag, {}, 201},
    Route{"DELETE", "/images/{name:.*}", "image_remove", answerQuery, kImageRemove},
};

}  // namespace

std::span<const Route> imageRoutes() { return kImageRoutes; }

}  // namespace flotilla::gateway
