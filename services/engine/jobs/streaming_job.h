#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "common/event/thread_pool.h"
#include "common/job/job.h"
#include "common/os/unique_fd.h"
#include "common/stream/stream_server.h"
#include "engine/images/image_stream.h"

namespace flotilla::engine {

/// How a streaming job tells its client of a failure.
enum class StreamFailure {
  Line,   // a last JSON line; the client's remaining bytes are read, so that it sees the line
  Abort,  // the archive ends early, and the job's error has the gateway cut the response
};

/// Waits for the gateway's connection, then moves bytes on a thread of the bulk pool.
class StreamingJob : public std::enable_shared_from_this<StreamingJob> {
 public:
  using Body = std::function<Result<void>(ImageStream&)>;

  /// A client that moves no byte for `idle` is given up.
  StreamingJob(JobContextPtr context, ThreadPool& bulk, std::chrono::seconds idle,
               StreamFailure failure, Body body)
      : context_(std::move(context)),
        bulk_(bulk),
        idle_(idle),
        failure_(failure),
        body_(std::move(body)) {}

  /// Sends *established*; the rest follows by itself.
  void start(StreamServer& streams);

 private:
  void connected(Result<int> fd);
  void run();
  static void drain(ImageStream& stream);

  JobContextPtr context_;
  ThreadPool& bulk_;
  const std::chrono::seconds idle_;
  const StreamFailure failure_;
  Body body_;
  UniqueFd fd_;
};

}  // namespace flotilla::engine
