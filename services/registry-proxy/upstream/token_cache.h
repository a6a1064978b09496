#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "common/os/mutex.h"

namespace flotilla::registry {

/// Authorization headers that worked, for a while. The key names the caller (its fingerprint), so
/// that no caller ever uses another's. Thread-safe.
class TokenCache {
 public:
  using Clock = std::chrono::steady_clock;

  std::optional<std::string> find(const std::string& key, Clock::time_point now);
  void put(const std::string& key, std::string header, Clock::time_point expires);
  void remove(const std::string& key);

 private:
  struct Entry {
    std::string header;
    Clock::time_point expires;
  };
  Mutex mutex_;
  std::map<std::string, Entry> entries_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::registry
