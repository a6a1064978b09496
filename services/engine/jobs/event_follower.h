#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/event/reactor.h"
#include "common/net/stream.h"
#include "engine/jobs/event_filter.h"
#include "engine/store/event_store.h"

namespace flotilla::engine {

struct EventRange {
  std::uint64_t position = 0;            // events after this one
  std::optional<std::int64_t> until_ns;  // absent: for ever
  std::int64_t now_ns = 0;               // at the request
};

/// Writes events to one stream: what is past, then what comes, as fast as its reader takes it.
/// Holds a position in the log and at most one batch of text, no thread. Keeps itself alive until
/// its end; all but cancel() on the reactor's thread.
class EventFollower : public std::enable_shared_from_this<EventFollower> {
 public:
  EventFollower(Reactor& reactor, EventStore& events, EventFilter filter, EventRange range)
      : reactor_(reactor), events_(events), filter_(std::move(filter)), range_(range) {}

  using Done = std::function<void(Result<void>)>;

  /// `done` runs when everything is written, before the stream ends; an error: what was to come
  /// could not be read.
  void start(net::StreamPtr stream, Done done);
  /// Any thread.
  void cancel();

 private:
  void pump();
  bool flush();
  bool fill();
  void finish(Result<void> how = {});

  Reactor& reactor_;
  EventStore& events_;
  const EventFilter filter_;
  EventRange range_;
  net::StreamPtr stream_;
  Done done_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  EventStore::SubscriptionId subscription_ = 0;
  Reactor::TimerId timer_ = 0;
  bool past_until_ = false, finished_ = false;
};

}  // namespace flotilla::engine
