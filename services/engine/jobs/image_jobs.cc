#include "engine/jobs/image_jobs.h"

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/json/json.h"
#include "engine/images/image_import.h"
#include "engine/images/image_load.h"
#include "engine/images/image_queries.h"
#include "engine/images/image_removal.h"
#include "engine/images/image_save.h"
#include "engine/jobs/streaming_job.h"

namespace flotilla::engine {
namespace {

std::string firstArgument(const Job& job) {
  return job.args.empty() ? std::string() : job.args.front();
}

/// A query or a change whose result is the body.
JobEngine::Handler answering(std::function<Result<std::string>(const Job&)> fn) {
  return [fn = std::move(fn)](const JobContextPtr& context) {
    auto body = fn(context->job());
    context->complete(body ? JobResult(JobOutput{*std::move(body), {}})
                           : JobResult(std::move(body).error()));
  };
}

Result<std::string> remove(ImageContext& images, const Job& job) {
  FLO_TRY_ASSIGN(const auto lines, removeImage(images, firstArgument(job),
                                               {.force = job.env.getBool("force"),
                                                .prune_parents = !job.env.getBool("noprune")}));
  nlohmann::json out = nlohmann::json::array();
  for (const RemovalLine& line : lines) {
    out.push_back({{line.kind == RemovalLine::Kind::Untagged ? "Untagged" : "Deleted", line.what}});
  }
  return json::dump(out);
}

Result<std::string> tag(ImageContext& images, const Job& job) {
  FLO_TRY_ASSIGN(const Reference reference, parseRepoTag(job.env.get("repo"), job.env.get("tag")));
  FLO_TRY(tagImage(images, firstArgument(job), reference));
  return std::string();
}

/// What the streaming jobs share.
struct Streaming {
  ImageContext& images;
  StreamServer& streams;
  ThreadPool& bulk;
  ImageJobOptions options;

  void start(const JobContextPtr& context, StreamFailure failure, StreamingJob::Body body) const {
    std::make_shared<StreamingJob>(context, bulk, options.idle, failure, std::move(body))
        ->start(streams);
  }
};

void load(const Streaming& streaming, const JobContextPtr& context) {
  const bool quiet = context->job().env.getBool("quiet");
  streaming.start(context, StreamFailure::Line,
                  [&images = streaming.images, quiet](ImageStream& stream) {
                    return loadImages(images, stream, {.quiet = quiet});
                  });
}

void save(const Streaming& streaming, const JobContextPtr& context) {
  auto plan = planSave(streaming.images, context->job().args);
  if (!plan) {
    context->complete(std::move(plan).error());
    return;
  }
  auto shared =
      std::make_shared<const SavePlan>(*std::move(plan));  // std::function wants a copyable one
  streaming.start(context, StreamFailure::Abort,
                  [shared](ImageStream& stream) { return saveImages(*shared, stream); });
}

void import(const Streaming& streaming, const JobContextPtr& context) {
  const JobEnv& env = context->job().env;
  auto request = checkImport({.repo = env.get("repo"),
                              .tag = env.get("tag"),
                              .message = env.get("message"),
                              .platform = env.get("platform"),
                              .created = env.get("created"),
                              .changes = env.getList("changes")},
                             streaming.images.architecture);
  if (!request) {
    context->complete(std::move(request).error());
    return;
  }
  streaming.start(context, StreamFailure::Line,
                  [&images = streaming.images, request = *std::move(request)](ImageStream& stream) {
                    return importImage(images, stream, request);
                  });
}

}  // namespace

void addImageJobs(JobEngine& engine, LocalImageStore& store, StreamServer& streams,
                  ThreadPool& bulk, ImageJobOptions options) {
  ImageContext& images = store.context();
  engine.handle("image_list", Lane::Query, answering([&images](const Job& job) {
                  return listImages(images,
                                    {.all = job.env.getBool("all"),
                                     .shared_size = job.env.getBool("shared-size"),
                                     .filters = job.env.get("filters")},
                                    job.api_version);
                }));
  engine.handle("image_inspect", Lane::Query, answering([&images](const Job& job) {
                  return inspectImage(images, firstArgument(job), job.api_version);
                }));
  engine.handle("image_history", Lane::Query, answering([&images](const Job& job) {
                  return imageHistory(images, firstArgument(job));
                }));
  engine.handle("image_tag", Lane::Work,
                answering([&images](const Job& job) { return tag(images, job); }));
  engine.handle("image_remove", Lane::Work,
                answering([&images](const Job& job) { return remove(images, job); }));
  const Streaming streaming{images, streams, bulk, options};
  engine.handle("image_load", Lane::Work,
                [streaming](const JobContextPtr& context) { load(streaming, context); });
  engine.handle("image_save", Lane::Work,
                [streaming](const JobContextPtr& context) { save(streaming, context); });
  engine.handle("image_import", Lane::Work,
                [streaming](const JobContextPtr& context) { import(streaming, context); });
}

}  // namespace flotilla::engine
