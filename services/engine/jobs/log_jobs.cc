#include "engine/jobs/log_jobs.h"

#include <utility>

namespace flotilla::engine {

std::shared_ptr<LogFollower> serveLogs(const JobContextPtr& context, const LogSource& source,
                                       LogOptions options, const LogServices& services) {
  if (source.path.empty()) {
    // NotImplemented: dockerd answers 501
    context->complete(
        Error(ErrorKind::NotImplemented, "configured logging driver does not support reading"));
    return nullptr;
  }
  options.multiplexed = !source.tty;
  options.follow = options.follow && source.running;
  auto reader = LogReader::open(source.path, options);
  if (!reader) {
    context->complete(std::move(reader).error());
    return nullptr;
  }
  auto follower = LogFollower::create(services.reactor, &services.watch, source.path,
                                      *std::move(reader), options);
  Established established;
  established.stream = services.streams.expect([context, follower](Result<net::StreamPtr> stream) {
    if (!stream) {
      context->complete(std::move(stream).error());
      return;
    }
    follower->start(*std::move(stream), [context](Result<void> result) {
      context->complete(result ? JobResult(JobOutput{}) : JobResult(std::move(result).error()));
    });
  });
  established.env.setBool("tty", source.tty);
  context->established(std::move(established));
  // The context must not own what owns it: the queue drops this function when the job completes.
  context->onCancel([weak_context = std::weak_ptr(context), follower] {
    follower->cancel();
    if (const JobContextPtr alive = weak_context.lock()) {
      alive->complete(Error(ErrorKind::Unavailable, "the client left"));
    }
  });
  return options.follow ? follower : nullptr;
}

}  // namespace flotilla::engine
