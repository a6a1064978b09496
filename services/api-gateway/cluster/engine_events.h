#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api-gateway/cluster/host.h"
#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/net/stream.h"
#include "common/stream/stream_client.h"

namespace flotilla::gateway {

/// The events of one engine as they come: a job `events`, its stream, its lines. On the reactor's
/// thread.
class EngineEvents : public std::enable_shared_from_this<EngineEvents> {
 public:
  struct Callbacks {
    std::function<void()> on_open;  // the stream is there: from now on nothing is missed
    std::function<void(std::string_view line)> on_line;
    /// Over: complete (an `until` was reached and the engine says that all was told), refused, or
    /// broken. Nothing follows.
    std::function<void(Result<void>)> on_end;
  };

  static std::shared_ptr<EngineEvents> open(Reactor& reactor, StreamDial dial, HostPtr host,
                                            JobEnv env, Callbacks callbacks);

  void pause(bool paused);
  /// The host's time, in nanoseconds, from which on it tells of events when it was not asked for
  /// earlier ones; 0 before it said so.
  [[nodiscard]] std::int64_t startedNs() const { return started_ns_; }
  /// Ends it without a word.
  void close();

  EngineEvents(Reactor& reactor, StreamDial dial, HostPtr host, Callbacks callbacks)
      : reactor_(reactor),
        dial_(std::move(dial)),
        host_(std::move(host)),
        callbacks_(std::move(callbacks)) {}

 private:
  void submit(JobEnv env);
  void established(const Established& message);
  void connected(Result<net::StreamPtr> stream);
  void readable();
  void streamEnded();
  void finished(JobResult result);
  void end(Result<void> how);

  Reactor& reactor_;
  const StreamDial dial_;
  const HostPtr host_;
  Callbacks callbacks_;
  std::string job_id_;
  std::int64_t started_ns_ = 0;
  bool bounded_ = false;     // has an `until`
  bool awaited_ = false;     // the job's result has not come
  bool read_whole_ = false;  // the stream has ended properly, the result is awaited
  Result<void> verdict_;     // of the job, once it has come
  Reactor::TimerId deadline_ = 0;
  bool connecting_ = false;
  bool paused_ = false;
  bool ended_ = false;
  net::StreamPtr stream_;
  std::string buffer_;
};

}  // namespace flotilla::gateway
