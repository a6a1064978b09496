#pragma once

#include <chrono>
#include <optional>

#include "engine/shim/protocol.h"

namespace flotilla::engine::shim {

/// Docker's restart rule: back-off of 100 ms, doubled at each restart up to a minute, begun anew
/// after ten seconds of running.
class RestartRule {
 public:
  /// The back-off before the next start after an exit, or nothing when there is none.
  std::optional<std::chrono::milliseconds> afterExit(const RestartPolicy& policy, int exit_code,
                                                     std::chrono::milliseconds ran);
  [[nodiscard]] unsigned restarts() const { return restarts_; }

 private:
  unsigned restarts_ = 0;
  std::chrono::milliseconds delay_{0};
};

}  // namespace flotilla::engine::shim
