#include "engine/jobs/streaming_job.h"

#include <sys/socket.h>

#include <utility>
#include <vector>

namespace flotilla::engine {
namespace {

constexpr std::chrono::seconds kDrainTime{20};

}  // namespace

void StreamingJob::start(StreamServer& streams) {
  Established message;
  message.stream = streams.expectFd(
      [self = shared_from_this()](Result<int> fd) { self->connected(std::move(fd)); });
  context_->established(std::move(message));
}

/// On the reactor's thread.
void StreamingJob::connected(Result<int> fd) {
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

void StreamingJob::run() {
  ImageStream stream =
      streamOver(fd_.get(), idle_, [context = context_] { return context->cancelled(); });
  auto done = body_(stream);
  if (!done && failure_ == StreamFailure::Line) {
    (void)stream.write(errorLine(done.error()));  // a client that is gone cannot be told
  }
  // First the result, for which the gateway holds back the end of its response.
  const bool told = !done && failure_ == StreamFailure::Line;
  context_->complete(done || told ? JobResult(JobOutput{}) : JobResult(std::move(done).error()));
  (void)::shutdown(fd_.get(), SHUT_WR);
  if (told) {
    drain(stream);
  }
  fd_.reset();
}

/// Closing with input unread would reset the connection and take the error line with it.
void StreamingJob::drain(ImageStream& stream) {
  std::vector<char> buffer(64 * 1024);
  const auto until = std::chrono::steady_clock::now() + kDrainTime;
  while (std::chrono::steady_clock::now() < until) {
    const auto got = stream.read(buffer.data(), buffer.size());
    if (!got || *got == 0) {
      return;
    }
  }
}

}  // namespace flotilla::engine
