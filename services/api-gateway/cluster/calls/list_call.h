#pragma once

#include <string>
#include <vector>

#include "api-gateway/cluster/calls/gather_call.h"
#include "common/model/list_filters.h"

namespace flotilla::gateway {

/// container_list and image_list, whose filters `before` and `since` name an object that few hosts
/// have: it is looked for first, and the hosts are given the time at which it was made.
class ListCall final : public GatherCall {
 public:
  ListCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks, Merge merge)
      : GatherCall(context, std::move(job), std::move(callbacks), Kind::Question, merge) {}

 protected:
  void start() override;

 private:
  void lookUpNext();
  void lookedUp(std::string& reference, const std::vector<HostAnswer>& answers,
                const std::vector<std::string>& absent);

  model::ListFilters filters_;
  std::vector<std::string*> references_;  // in filters_, those not yet replaced by times
};

}  // namespace flotilla::gateway
