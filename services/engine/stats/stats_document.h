#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/stats/container_usage.h"
#include "engine/stats/host_usage.h"

namespace flotilla::engine {

/// One look at a container. The default is that of one that does not run.
struct StatsSample {
  std::int64_t read_ns = 0;  // since the epoch; 0 = nothing was read
  std::optional<ContainerUsage> usage;
  HostCpu host_cpu;
  std::uint64_t host_memory = 0;  // shown as the limit of a container without one
  Interfaces interfaces;
};

/// Whose statistics a document says they are; dockerd names nobody in the answer to `one-shot`.
struct StatsSubject {
  std::string name;  // with the slash
  std::string id;
};

/// One document of GET /containers/{id}/stats with its newline, member for member as dockerd 28.5
/// writes it. `previous` is what the CPU of `now` is compared with: the default for none.
std::string statsDocument(const std::optional<StatsSubject>& subject, const StatsSample& now,
                          const StatsSample& previous);

}  // namespace flotilla::engine
