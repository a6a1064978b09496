#pragma once

#include <functional>
#include <memory>
#include <string>

#include "api-gateway/cluster/calls/cluster_call.h"

namespace flotilla::gateway {

/// A container name kept for one container while it is made or renamed, in the whole cluster. It is
/// reserved again and again meanwhile: one whose gateway died is free within
/// ClusterTimes::reservation.
class NameClaim {
 public:
  NameClaim(ClusterContext& context, std::string name, std::string owner)
      : context_(context), name_(std::move(name)), owner_(std::move(owner)) {
    renewLater();
  }
  ~NameClaim();
  NameClaim(const NameClaim&) = delete;
  NameClaim& operator=(const NameClaim&) = delete;

 private:
  void renewLater();

  ClusterContext& context_;
  const std::string name_, owner_;
  Reactor::TimerId renewal_ = 0;
};

using NameClaimPtr = std::unique_ptr<NameClaim>;

/// Docker's words for a name that another container has.
Error nameConflict(const std::string& name, const std::string& holder);

/// Reserves `name` for container `id`, and makes sure that no other container has it: by the index,
/// and by asking the hosts that answer. `call` is kept until `done` ran, which does not happen when
/// the call was finished meanwhile. Errors: Conflict in Docker's words, Unavailable.
void claimName(ClusterContext& context, const std::shared_ptr<ClusterCall>& call,
               const std::string& name, const std::string& id,
               std::function<void(Result<NameClaimPtr>)> done);

}  // namespace flotilla::gateway
