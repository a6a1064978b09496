#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/event/reactor.h"
#include "common/event/thread_pool.h"
#include "common/net/stream.h"
#include "engine/stats/stats_document.h"

namespace flotilla::engine {

/// What a look at the container found.
struct StatsLook {
  StatsSubject subject;  // a rename shows at once
  StatsSample sample;
};

/// Writes a container's statistics to one stream: one document, or one a second for as long as
/// somebody reads and the container exists. Holds a sample and at most one document, no thread: a
/// look is taken on the pool. What the reader has not taken when the next document is due is sent
/// first; the document is left out. Keeps itself alive until its end; all but cancel() on the
/// reactor's thread.
class StatsFollower : public std::enable_shared_from_this<StatsFollower> {
 public:
  enum class Mode {
    Stream,   // for ever
    OneShot,  // one look, at once; compared with nothing
    Single,   // one document, of the second of two looks
  };
  struct Options {
    Mode mode = Mode::Stream;
    Reactor::Clock::duration interval = std::chrono::seconds(1);
    /// Runs on the pool. Nothing: the container is gone.
    std::function<std::optional<StatsLook>()> look;
  };

  StatsFollower(Reactor& reactor, ThreadPool& pool, Options options)
      : reactor_(reactor), pool_(pool), options_(std::move(options)) {}

  /// `done` runs when everything is written, before the stream ends.
  void start(net::StreamPtr stream, std::function<void()> done);
  /// Any thread.
  void cancel();

 private:
  void lookNow();
  void looked(std::optional<StatsLook> look);
  void flush();
  void finish();

  Reactor& reactor_;
  ThreadPool& pool_;
  const Options options_;
  net::StreamPtr stream_;
  std::function<void()> done_;
  StatsSample previous_;
  Reactor::Clock::time_point due_;
  Reactor::TimerId timer_ = 0;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool compared_ = false, last_ = false, finished_ = false;
};

}  // namespace flotilla::engine
