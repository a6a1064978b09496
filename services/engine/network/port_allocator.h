#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <tl/expected.hpp>

#include "common/os/mutex.h"
#include "common/os/unique_fd.h"
#include "engine/network/network_manager.h"

namespace flotilla::engine {

/// Published ports with the sockets that hold them.
struct HeldPorts {
  std::vector<PortBinding> bindings;
  std::vector<UniqueFd> holders;  // fewer than bindings where the host has no SCTP sockets
};

/// Why a port could not be had.
struct PortFailure {
  PortBinding binding;
  int error = 0;                      // errno of its bind
  std::optional<PortBinding> holder;  // set when the same request asked for it already
};

/// Reserves host ports by binding sockets, in the network namespace of the calling thread: the
/// kernel arbitrates with every other process. Thread-safe.
class PortAllocator {
 public:
  struct Range {
    std::uint16_t first = 32768, last = 60999;
  };
  /// net.ipv4.ip_local_port_range, or the kernel's default.
  static Range ephemeralRange();

  explicit PortAllocator(Range ephemeral) : ephemeral_(ephemeral), next_(ephemeral.first) {}

  /// All or nothing. Without a host address a port is taken on 0.0.0.0 and, where the host has
  /// IPv6, on [::], as dockerd does. Ephemeral ports are tried in turn, each after the last given.
  tl::expected<HeldPorts, PortFailure> allocate(const std::vector<PortRequest>& requests);

 private:
  std::uint16_t nextEphemeral();

  const Range ephemeral_;
  Mutex mutex_;
  std::uint16_t next_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::engine
