#include "engine/jobs/image_jobs.h"

#include <sys/socket.h>

#include <array>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/json/json.h"
#include "common/os/unique_fd.h"
#include "engine/images/image_import.h"
#include "engine/images/image_load.h"
#include "engine/images/image_queries.h"
#include "engine/images/image_removal.h"
#include "engine/images/image_save.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kDrainTime{20};

std::string firstArgument(const Job& job) { return job.args.empty() ? std::string() : job.args.front(); }

/// A query or a change whose result is the body.
JobEngine::Handler answering(std::function<Result<std::string>(const Job&)> fn) {
  return [fn = std::move(fn)](const JobContextPtr& context) {
    auto body = fn(context->job());
    context->complete(body ? JobResult(JobOutput{*std::move(body), {}}) : JobResult(std::move(body).error()));
  };
}

Result<std::string> remove(ImageContext& images, const Job& job) {
  FLO_TRY_ASSIGN(const auto lines,
                 removeImage(images, firstArgument(job),
                             {.force = job.env.getBool("force"), .prune_parents = !job.env.getBool("noprune")}));
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

/// How a streaming job tells its client of a failure.
enum class Failure {
  Line,     // a last JSON line; the client's remaining bytes are read, so that it sees the line
  Abort,    // the archive ends early: no end marker, and the job's error for the gateway
};

/// Waits for the gateway's connection, then moves bytes on a thread of the bulk pool.
class StreamingJob : public std::enable_shared_from_this<StreamingJob> {
 public:
  using Body = std::function<Result<void>(ImageStream&)>;

  StreamingJob(JobContextPtr context, ThreadPool& bulk, ImageJobOptions options, Failure failure, Body body)
      : context_(std::move(context)), bulk_(bulk), options_(options), failure_(failure), body_(std::move(body)) {}

  void start(StreamServer& streams) {
    Established message;
    message.stream = streams.expectFd([self = shared_from_this()](Result<int> fd) { self->connected(std::move(fd)); });
    context_->established(std::move(message));
  }

 private:
  /// On the reactor's thread.
  void connected(Result<int> fd) {
    if (!fd) {
      context_->complete(std::move(fd).error());
      return;
    }
    fd_.reset(*fd);
    if (!bulk_.post([self = shared_from_this()] { self->run(); })) {
      fd_.reset();
      context_->complete(Error{ErrorKind::Unavailable, "too many image transfers at once"});
    }
  }

  void run() {
    ImageStream stream = streamOver(fd_.get(), options_.idle, [context = context_] { return context->cancelled(); });
    auto done = body_(stream);
    if (!done && failure_ == Failure::Line) {
      (void)stream.write(errorLine(done.error()));  // a client that is gone cannot be told
    }
    (void)::shutdown(fd_.get(), SHUT_WR);
    if (!done && failure_ == Failure::Line) {
      drain(stream);
    }
    fd_.reset();
    if (done || failure_ == Failure::Line) {
      context_->complete(JobOutput{});
    } else {
      context_->complete(std::move(done).error());
    }
  }

  /// Closing with input unread would reset the connection and take the error line with it.
  static void drain(ImageStream& stream) {
    std::vector<char> buffer(64 * 1024);
    const auto until = std::chrono::steady_clock::now() + kDrainTime;
    while (std::chrono::steady_clock::now() < until) {
      const auto got = stream.read(buffer.data(), buffer.size());
      if (!got || *got == 0) {
        return;
      }
    }
  }

  JobContextPtr context_;
  ThreadPool& bulk_;
  ImageJobOptions options_;
  Failure failure_;
  Body body_;
  UniqueFd fd_;
};

/// What the streaming jobs share.
struct Streaming {
  ImageContext& images;
  StreamServer& streams;
  ThreadPool& bulk;
  ImageJobOptions options;

  void start(const JobContextPtr& context, Failure failure, StreamingJob::Body body) const {
    std::make_shared<StreamingJob>(context, bulk, options, failure, std::move(body))->start(streams);
  }
};

void load(const Streaming& streaming, const JobContextPtr& context) {
  const bool quiet = context->job().env.getBool("quiet");
  streaming.start(context, Failure::Line, [&images = streaming.images, quiet](ImageStream& stream) {
    return loadImages(images, stream, {.quiet = quiet});
  });
}

void save(const Streaming& streaming, const JobContextPtr& context) {
  auto plan = planSave(streaming.images, context->job().args);
  if (!plan) {
    context->complete(std::move(plan).error());
    return;
  }
  auto shared = std::make_shared<const SavePlan>(*std::move(plan));  // std::function wants a copyable one
  streaming.start(context, Failure::Abort,
                  [shared](ImageStream& stream) { return saveImages(*shared, stream); });
}

void import(const Streaming& streaming, const JobContextPtr& context) {
  const JobEnv& env = context->job().env;
  auto request = checkImport({.repo = env.get("repo"),
                              .tag = env.get("tag"),
                              .message = env.get("message"),
                              .platform = env.get("platform"),
                              .changes = env.getList("changes")},
                             streaming.images.architecture);
  if (!request) {
    context->complete(std::move(request).error());
    return;
  }
  streaming.start(context, Failure::Line,
                  [&images = streaming.images, request = *std::move(request)](ImageStream& stream) {
                    return importImage(images, stream, request);
                  });
}

}  // namespace

void addImageJobs(JobEngine& engine, LocalImageStore& store, StreamServer& streams, ThreadPool& bulk,
                  ImageJobOptions options) {
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
  engine.handle("image_history", Lane::Query,
                answering([&images](const Job& job) { return imageHistory(images, firstArgument(job)); }));
  engine.handle("image_tag", Lane::Work, answering([&images](const Job& job) { return tag(images, job); }));
  engine.handle("image_remove", Lane::Work, answering([&images](const Job& job) { return remove(images, job); }));
  const Streaming streaming{images, streams, bulk, options};
  engine.handle("image_load", Lane::Work, [streaming](const JobContextPtr& context) { load(streaming, context); });
  engine.handle("image_save", Lane::Work, [streaming](const JobContextPtr& context) { save(streaming, context); });
  engine.handle("image_import", Lane::Work, [streaming](const JobContextPtr& context) { import(streaming, context); });
}

}  // namespace flotilla::engine
