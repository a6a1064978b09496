#include "registry-proxy/upstream/token_cache.h"

#include <utility>

namespace flotilla::registry {
namespace {

constexpr std::size_t kMaxEntries = 4096;

}  // namespace

std::optional<std::string> TokenCache::find(const std::string& key, Clock::time_point now) {
  MutexLock lock(mutex_);
  const auto entry = entries_.find(key);
  if (entry == entries_.end()) {
    return std::nullopt;
  }
  if (entry->second.expires <= now) {
    entries_.erase(entry);
    return std::nullopt;
  }
  return entry->second.header;
}

void TokenCache::put(const std::string& key, std::string header, Clock::time_point expires) {
  MutexLock lock(mutex_);
  if (entries_.size() >= kMaxEntries) {
    entries_.clear();  // tokens are cheap to get again
  }
  entries_[key] = Entry{std::move(header), expires};
}

void TokenCache::remove(const std::string& key) {
  MutexLock lock(mutex_);
  entries_.erase(key);
}

}  // namespace flotilla::registry
