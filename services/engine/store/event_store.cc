#include "engine/store/event_store.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace flotilla::engine {
namespace {

using nlohmann::json;

constexpr std::int64_t kKept = 16384;
constexpr std::int64_t kTrimEvery = 1024;
constexpr std::size_t kRecent = 1024;

Event readEvent(const Statement& row) {
  Event event;
  event.seq = static_cast<std::uint64_t>(row.integer(0));
  event.time_ns = row.integer(1);
  event.type = row.text(2);
  event.action = row.text(3);
  event.actor_id = row.text(4);
  const json attributes = json::parse(row.view(5), nullptr, false);
  if (attributes.is_object()) {
    for (const auto& [name, value] : attributes.items()) {
      event.attributes.emplace(name, value.is_string() ? value.get<std::string>() : "");
    }
  }
  return event;
}

}  // namespace

Result<void> EventStore::append(Transaction& transaction, Event event) {
  FLO_TRY_ASSIGN(auto insert,
                 transaction.prepare("INSERT INTO events(time_ns, type, action, actor, attributes)"
                                     " VALUES(?,?,?,?,?) RETURNING seq"));
  insert.bind(event.time_ns != 0 ? event.time_ns : clock_())
      .bind(event.type)
      .bind(event.action)
      .bind(event.actor_id)
      .bind(json(event.attributes).dump(-1, ' ', false, json::error_handler_t::replace));
  FLO_TRY_ASSIGN(const bool row, insert.step());
  const std::int64_t seq = row ? insert.integer(0) : 0;
  FLO_TRY(insert.run());
  if (seq % kTrimEvery == 0) {
    FLO_TRY(trim(transaction, seq));
  }
  announce();
  return {};
}

Result<void> EventStore::trim(Transaction& transaction, std::int64_t newest) {
  FLO_TRY_ASSIGN(auto remove, transaction.prepare("DELETE FROM events WHERE seq <= ?"));
  return remove.bind(newest - kKept).run();
}

// The event is not committed yet. A write queued now runs after the one that appends, so its end is
// when followers can see the event.
void EventStore::announce() {
  if (subscriber_count_.load() == 0 || announcing_.exchange(true)) {
    return;
  }
  database_.writeAsync(
      Durability::Relaxed, [](Transaction&) -> Result<void> { return {}; },
      [this](const Result<void>&) {
        announcing_.store(false);
        const std::lock_guard lock(mutex_);
        for (const auto& [id, on_news] : subscribers_) {
          on_news();
        }
      });
}

Result<std::vector<Event>> EventStore::after(std::uint64_t seq, std::size_t limit) {
  {
    const std::lock_guard lock(recent_mutex_);
    if (!recent_.empty() && recent_.front().seq <= seq + 1 && recent_.back().seq > seq) {
      std::vector<Event> events;
      for (const Event& event : recent_) {
        if (event.seq > seq && events.size() < limit) {
          events.push_back(event);
        }
      }
      return events;
    }
  }
  std::vector<Event> events;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto select,
                   transaction.prepare("SELECT seq, time_ns, type, action, actor, attributes FROM"
                                       " events WHERE seq > ? ORDER BY seq LIMIT ?"));
    select.bind(static_cast<std::int64_t>(seq)).bind(static_cast<std::int64_t>(limit));
    while (true) {
      FLO_TRY_ASSIGN(const bool row, select.step());
      if (!row) {
        return {};
      }
      events.push_back(readEvent(select));
    }
  }));
  const std::lock_guard lock(recent_mutex_);
  for (const Event& event : events) {
    if (recent_.empty() || event.seq == recent_.back().seq + 1) {
      recent_.push_back(event);
    }
  }
  while (recent_.size() > kRecent) {
    recent_.pop_front();
  }
  return events;
}

Result<std::uint64_t> EventStore::positionAt(std::int64_t time_ns) {
  std::uint64_t position = 0;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto select, transaction.prepare(
                                    "SELECT coalesce((SELECT min(seq) - 1 FROM events WHERE time_ns"
                                    " >= ?), (SELECT max(seq) FROM events), 0)"));
    select.bind(time_ns);
    FLO_TRY_ASSIGN(const bool row, select.step());
    position = row ? static_cast<std::uint64_t>(select.integer(0)) : 0;
    return {};
  }));
  return position;
}

Result<std::uint64_t> EventStore::newest() {
  std::uint64_t position = 0;
  FLO_TRY(database_.read([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT coalesce(max(seq), 0) FROM events"));
    FLO_TRY_ASSIGN(const bool row, select.step());
    position = row ? static_cast<std::uint64_t>(select.integer(0)) : 0;
    return {};
  }));
  return position;
}

EventStore::SubscriptionId EventStore::subscribe(std::function<void()> on_news) {
  const std::lock_guard lock(mutex_);
  const SubscriptionId id = next_id_++;
  subscribers_.emplace(id, std::move(on_news));
  subscriber_count_.store(subscribers_.size());
  return id;
}

void EventStore::lookAgain() {
  if (subscriber_count_.load() == 0) {
    return;
  }
  const std::lock_guard lock(mutex_);
  for (const auto& [id, on_news] : subscribers_) {
    on_news();
  }
}

void EventStore::unsubscribe(SubscriptionId id) {
  const std::lock_guard lock(mutex_);
  subscribers_.erase(id);
  subscriber_count_.store(subscribers_.size());
}

}  // namespace flotilla::engine
