#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "common/os/mutex.h"
#include "registry-proxy/upstream/upstreams.h"

namespace flotilla::registry {

/// One request of a small document upstream for all who ask for the very same at the same time.
/// Thread-safe; blocks.
class DocumentFlights {
 public:
  using Answer = Served<UpstreamDocument>;

  /// Runs `fetch` unless somebody runs it for `key` just now: then waits for that one's answer.
  std::shared_ptr<const Answer> share(const std::string& key, const std::function<Answer()>& fetch);

 private:
  struct Flight {
    std::shared_ptr<const Answer> answer;
  };
  Mutex mutex_;
  CondVar landed_;
  std::map<std::string, std::shared_ptr<Flight>> flights_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::registry
