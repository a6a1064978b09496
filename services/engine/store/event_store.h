#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/store/event_log.h"
#include "engine/store/wall_clock.h"

namespace flotilla::engine {

/// The event log in the database, and the news of it. A follower keeps a position and reads from
/// there when told of news; the log itself is its buffer, so a slow one costs nothing. The last
/// 16,384 or so events are kept. Thread-safe.
class EventStore final : public EventLog {
 public:
  using SubscriptionId = std::uint64_t;

  EventStore(Database& database, WallClock clock) : database_(database), clock_(std::move(clock)) {}

  Result<void> append(Transaction& transaction, Event event) override;

  /// At most `limit` events after position `seq`, in order.
  Result<std::vector<Event>> after(std::uint64_t seq, std::size_t limit);
  /// Position just before the first event at or after `time_ns`.
  Result<std::uint64_t> positionAt(std::int64_t time_ns);
  /// Position of the newest event.
  Result<std::uint64_t> newest();

  /// `on_news` runs on the database's writer thread after commits with events; it must not block.
  SubscriptionId subscribe(std::function<void()> on_news);
  /// After it returns the callback does not run any more.
  /// Another process may have committed events: everybody who follows looks.
  void lookAgain();
  void unsubscribe(SubscriptionId id);

 private:
  void announce();
  Result<void> trim(Transaction& transaction, std::int64_t newest);

  Database& database_;
  WallClock clock_;
  std::atomic<bool> announcing_{false};
  std::mutex mutex_;  // guards the members below; held while callbacks run
  std::map<SubscriptionId, std::function<void()>> subscribers_;
  SubscriptionId next_id_ = 1;
  std::atomic<std::size_t> subscriber_count_{0};
  std::mutex recent_mutex_;  // guards recent_: the newest events read, shared by all followers
  std::deque<Event> recent_;
};

}  // namespace flotilla::engine
