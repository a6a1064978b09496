#pragma once

#include <chrono>
#include <string>
#include <unordered_map>

#include "common/os/mutex.h"

namespace flotilla::registry {

/// Who was seen to have the right to read which content, for a while: a cached blob is served to a
/// caller only when the upstream has just let that very caller read it, or a manifest that names
/// it. Thread-safe.
class AccessGrants {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AccessGrants(std::chrono::seconds lifetime = std::chrono::minutes(10))
      : lifetime_(lifetime) {}

  /// `caller` is a fingerprint of credentials, "" for anybody.
  void grant(const std::string& caller, const std::string& repository, const std::string& digest);
  [[nodiscard]] bool has(const std::string& caller, const std::string& repository,
                         const std::string& digest);

 private:
  const std::chrono::seconds lifetime_;
  Mutex mutex_;
  std::unordered_map<std::string, Clock::time_point> until_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::registry
