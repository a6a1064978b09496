#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "api-gateway/scheduler/scheduler.h"

namespace flotilla::gateway {
namespace {

constexpr std::int64_t kNano = 1'000'000'000;
constexpr std::int64_t kFull = 100;

/// Percent of `total` in use once `asked` is added; 100 for a request that asks for nothing, so
/// that it says nothing. None: no room.
std::optional<std::int64_t> score(std::int64_t used, std::int64_t asked, std::int64_t total) {
  if (asked <= 0) {
    return kFull;
  }
  if (total < asked) {
    return std::nullopt;
  }
  // In floating point: nanoseconds of many CPUs times 100 are near the limit of 64 bits.
  const auto percent = static_cast<std::int64_t>(static_cast<double>(used + asked) * 100.0 /
                                                 static_cast<double>(total));
  return percent <= kFull ? std::optional(percent) : std::nullopt;
}

/// Fewest containers, least used resources, best health first (swarm classic's default).
class Spread final : public Strategy {
 public:
  explicit Spread(double overcommit) : percent_(static_cast<std::int64_t>(overcommit * 100)) {}

  [[nodiscard]] std::string_view name() const override { return "spread"; }

  [[nodiscard]] std::vector<Candidate> rank(const PlacementRequest& request,
                                            std::vector<Candidate> candidates) const override {
    struct Ranked {
      std::int64_t weight;
      Candidate candidate;
    };
    std::vector<Ranked> ranked;
    for (Candidate& candidate : candidates) {
      const HostFacts& facts = candidate.host->facts;
      const auto cpu =
          score(candidate.use.nano_cpus, request.nano_cpus, withOvercommit(facts.cpus * kNano));
      const auto memory = score(candidate.use.memory, request.memory, withOvercommit(facts.memory));
      if (cpu && memory) {
        const std::int64_t failures = std::min(candidate.host->failures, 9);
        ranked.push_back({*cpu + *memory + failures * kFull, std::move(candidate)});
      }
    }
    std::stable_sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
      const auto key = [](const Ranked& r) {
        return std::tuple(r.weight, r.candidate.use.containers, r.candidate.last_chosen);
      };
      return key(a) < key(b);
    });
    std::vector<Candidate> best_first;
    for (Ranked& entry : ranked) {
      best_first.push_back(std::move(entry.candidate));
    }
    return best_first;
  }

 private:
  [[nodiscard]] std::int64_t withOvercommit(std::int64_t total) const {
    return total + total / 100 * percent_;
  }

  const std::int64_t percent_;
};

}  // namespace

Result<std::unique_ptr<Strategy>> makeStrategy(std::string_view name, double overcommit) {
  if (name == "spread") {
    return std::unique_ptr<Strategy>(std::make_unique<Spread>(overcommit));
  }
  return Error{ErrorKind::InvalidArgument, "strategy not supported: " + std::string(name)};
}

}  // namespace flotilla::gateway
