#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api-gateway/cluster/container_index.h"
#include "api-gateway/cluster/host.h"

namespace flotilla::gateway {

/// What a container to be created asks of its host.
struct PlacementRequest {
  std::int64_t nano_cpus = 0, memory = 0;  // 0 = nothing in particular
  std::vector<HostPort> ports;
  bool host_network = false;
  std::vector<std::string> exposed_ports;  // they matter with host_network only
  std::vector<std::string> depends_on;     // containers whose host it must share
};

/// A host with what is in use on it, containers that are being created included.
struct Candidate {
  HostPtr host;
  HostUse use;
  std::uint64_t last_chosen = 0;  // grows with time
};

/// Orders hosts by how well they suit a request. Stateless.
class Strategy {
 public:
  virtual ~Strategy() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The best first; those without room are left out.
  [[nodiscard]] virtual std::vector<Candidate> rank(const PlacementRequest& request,
                                                    std::vector<Candidate> candidates) const = 0;
};

/// "spread". Errors: InvalidArgument "strategy not supported: x".
Result<std::unique_ptr<Strategy>> makeStrategy(std::string_view name, double overcommit);

/// Chooses hosts for new containers. On the reactor's thread; `index` outlives it.
class Scheduler {
 public:
  Scheduler(std::unique_ptr<Strategy> strategy, const ContainerIndex& index)
      : strategy_(std::move(strategy)), index_(index) {}

  /// A chosen host. While it lives, what the container asks for counts as in use.
  class Placement {
   public:
    Placement(Scheduler& scheduler, HostPtr host, PlacementRequest request);
    ~Placement();
    Placement(const Placement&) = delete;
    Placement& operator=(const Placement&) = delete;
    [[nodiscard]] const HostPtr& host() const { return host_; }
    [[nodiscard]] const PlacementRequest& request() const { return request_; }

   private:
    Scheduler& scheduler_;
    const HostPtr host_;
    const PlacementRequest request_;
  };

  /// Errors: Unavailable (no healthy host), Internal naming the condition that no host satisfies,
  /// both in the words of swarm classic.
  Result<std::unique_ptr<Placement>> place(const PlacementRequest& request,
                                           const std::vector<HostPtr>& hosts);

  [[nodiscard]] const Strategy& strategy() const { return *strategy_; }
  static constexpr std::string_view kFilters = "health, port, dependency";

 private:
  Result<std::vector<HostPtr>> filter(const PlacementRequest& request,
                                      std::vector<HostPtr> hosts) const;
  [[nodiscard]] bool portsFree(const Host& host, const PlacementRequest& request) const;
  [[nodiscard]] HostUse useOf(const Host& host) const;

  const std::unique_ptr<Strategy> strategy_;
  const ContainerIndex& index_;
  std::vector<const Placement*> placements_;
  std::unordered_map<const Host*, std::uint64_t> last_chosen_;
  std::uint64_t choices_ = 0;
};

}  // namespace flotilla::gateway
