#include "engine/lifecycle/notices.h"

#include <utility>
#include <vector>

namespace flotilla::engine {

Notices::Id Notices::when(const std::string& key, std::optional<std::chrono::milliseconds> timeout,
                          Callback callback) {
  Id id = 0;
  {
    const std::lock_guard lock(mutex_);
    id = next_++;
    entries_.emplace(id, Entry{key, std::move(callback)});
    by_key_.emplace(key, id);
  }
  if (timeout) {
    // The timer is not cancelled: firing an id that is gone does nothing.
    reactor_.post([this, id, delay = *timeout] {
      reactor_.runAfter(delay, [this, id] { fire(id, Outcome::TimedOut); });
    });
  }
  return id;
}

void Notices::cancel(Id id) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(id);
  if (entry == entries_.end()) {
    return;
  }
  const auto [first, last] = by_key_.equal_range(entry->second.key);
  for (auto at = first; at != last; ++at) {
    if (at->second == id) {
      by_key_.erase(at);
      break;
    }
  }
  entries_.erase(entry);
}

void Notices::happened(const std::string& key) {
  std::vector<Id> ids;
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = by_key_.equal_range(key);
    for (auto at = first; at != last; ++at) {
      ids.push_back(at->second);
    }
  }
  for (const Id id : ids) {
    fire(id, Outcome::Happened);
  }
}

std::vector<std::string> Notices::awaited() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> keys;
  for (const auto& [key, id] : by_key_) {
    if (keys.empty() || keys.back() != key) {
      keys.push_back(key);
    }
  }
  return keys;
}

void Notices::fire(Id id, Outcome outcome) {
  Callback callback;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(id);
    if (entry == entries_.end()) {
      return;
    }
    callback = std::move(entry->second.callback);
  }
  cancel(id);
  if (!pool_.post([callback, outcome] { callback(outcome); })) {
    callback(outcome);
  }
}

}  // namespace flotilla::engine
