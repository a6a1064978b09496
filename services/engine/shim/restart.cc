#include "engine/shim/restart.h"

#include <algorithm>

namespace flotilla::engine::shim {
namespace {

constexpr std::chrono::milliseconds kFirst{100};
constexpr std::chrono::milliseconds kLongest{60000};
constexpr std::chrono::milliseconds kSettled{10000};

bool wanted(const RestartPolicy& policy, int exit_code, unsigned restarts) {
  if (policy.name == "always" || policy.name == "unless-stopped") {
    return true;
  }
  return policy.name == "on-failure" && exit_code != 0 &&
         (policy.max_retries == 0 || restarts < policy.max_retries);
}

}  // namespace

std::optional<std::chrono::milliseconds> RestartRule::afterExit(const RestartPolicy& policy,
                                                                int exit_code,
                                                                std::chrono::milliseconds ran) {
  if (!wanted(policy, exit_code, restarts_)) {
    return std::nullopt;
  }
  ++restarts_;
  const bool anew = delay_.count() == 0 || ran >= kSettled;
  delay_ = anew ? kFirst : std::min(delay_ * 2, kLongest);
  return delay_;
}

}  // namespace flotilla::engine::shim
