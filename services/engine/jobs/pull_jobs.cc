#include "engine/jobs/pull_jobs.h"

#include <memory>
#include <utility>

#include "engine/jobs/streaming_job.h"

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kIdle{120};

void pull(PullContext& context, const JobContextPtr& job, StreamServer& streams,
          ThreadPool& pulls) {
  const JobEnv& env = job->job().env;
  auto prepared = ImagePull::prepare(context, {.from_image = env.get("fromImage"),
                                               .tag = env.get("tag"),
                                               .platform = env.get("platform"),
                                               .auth = env.get("registryAuth")});
  if (!prepared) {
    job->complete(std::move(prepared).error());
    return;
  }
  auto shared =
      std::make_shared<ImagePull>(*std::move(prepared));  // std::function wants a copyable one
  std::make_shared<StreamingJob>(job, pulls, kIdle, StreamFailure::Line,
                                 [shared](ImageStream& stream) { return shared->run(stream); })
      ->start(streams);
}

}  // namespace

void addPullJobs(JobEngine& engine, PullContext& context, StreamServer& streams,
                 ThreadPool& pulls) {
  engine.handle("image_create", Lane::Work, [&](const JobContextPtr& job) {
    if (!pulls.post([&context, job, &streams, &pulls] { pull(context, job, streams, pulls); })) {
      job->complete(Error{ErrorKind::Unavailable, "too many pulls at once"});
    }
  });
}

}  // namespace flotilla::engine
