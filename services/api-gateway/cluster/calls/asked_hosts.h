#pragma once

#include <string>
#include <vector>

#include "api-gateway/cluster/membership.h"

namespace flotilla::gateway {

/// Hosts that a job is about, taken apart.
struct AskedHosts {
  explicit AskedHosts(const std::vector<HostPtr>& hosts);

  std::vector<HostPtr> healthy;     // to be asked
  std::vector<std::string> absent;  // the others, with the reason: "node-1: no answer within 3 s"
};

/// What the hosts that were asked refused, when `absent` could not be asked: what is not found may
/// be there, so that NotFound becomes Unavailable, with the reasons.
Error unlessAbsent(Error error, const std::vector<std::string>& absent);

/// What a job comes to that no host can be asked to do: Unavailable, with the hosts' reasons.
Error nobodyHealthy(const std::vector<std::string>& absent);

}  // namespace flotilla::gateway
