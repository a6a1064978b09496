#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/event/reactor.h"
#include "common/net/stream.h"
#include "engine/logs/log_reader.h"
#include "engine/logs/log_watch.h"

namespace flotilla::engine {

/// Moves one log into one stream on a reactor: as fast as the reader takes it, without a thread and
/// with at most about 128 KiB in memory. Ends when the log was sent (without follow), when the
/// container ended and its log is drained, when `until` passes, or when the stream breaks.
/// Keeps itself alive until its end.
class LogFollower : public std::enable_shared_from_this<LogFollower> {
 public:
  using Done = std::function<void(Result<void>)>;

  /// `path` as given to LogReader::open. `watch` may be null when `follow` is false.
  /// Any thread; the work happens on the reactor's.
  static std::shared_ptr<LogFollower> create(Reactor& reactor, LogWatch* watch, std::string path,
                                             LogReader reader, LogOptions options);

  /// Begins; on the reactor's thread, at most once. `done` runs there, when everything is written
  /// and before the stream ends (properly, unless it broke or was cancelled).
  void start(net::StreamPtr stream, Done done);

  /// No more will be written to the log: what is there is sent, then the follower ends. Any thread.
  void containerEnded();
  /// Ends now. Any thread.
  void cancel();
  /// `companion` goes with this. Once, by whoever holds this.
  void keep(std::shared_ptr<void> companion) { companion_ = std::move(companion); }

 private:
  LogFollower(Reactor& reactor, LogWatch* watch, std::string path, LogReader reader,
              LogOptions options);

  void pump();
  void pumpLater();
  /// False when the stream is full or broken.
  bool flush();
  void caughtUp();
  void finish(Result<void> result);

  Reactor& reactor_;
  LogWatch* watch_;
  std::string path_;
  LogReader reader_;
  LogOptions options_;
  net::StreamPtr stream_;
  Done done_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  LogWatch::Id subscription_ = 0;
  Reactor::TimerId until_timer_ = 0;
  std::shared_ptr<void> companion_;
  bool ended_ = false, blocked_ = false, posted_ = false, finished_ = false, last_look_ = false;
};

}  // namespace flotilla::engine
