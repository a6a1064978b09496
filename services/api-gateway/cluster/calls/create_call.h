#pragma once

#include <memory>
#include <string>

#include "api-gateway/cluster/calls/container_call.h"
#include "api-gateway/cluster/calls/name_claim.h"

namespace flotilla::gateway {

/// container_create: a name that is free in the whole cluster, a host chosen by the scheduler; an
/// image that the chosen host lacks sends it to one that has it.
class CreateCall final : public ClusterCall {
 public:
  CreateCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

 protected:
  void start() override;
  void release() override;
  void answered(const HostPtr& host, JobResult result) override;

 private:
  void nameRandomly();
  void place(const std::vector<HostPtr>& hosts);
  void created(const HostPtr& host);
  void lookForImage(JobResult missing);

  PlacementRequest request_;
  ContainerRow row_;
  bool random_name_ = false;
  int name_tries_ = 0;
  bool looked_for_image_ = false;
  NameClaimPtr claim_;
  std::unique_ptr<Scheduler::Placement> placement_;
};

/// container_rename: to a name that is free in the whole cluster.
class RenameCall final : public ContainerCall {
 public:
  using ContainerCall::ContainerCall;

 protected:
  void found(const HostPtr& host) override;
  void release() override { claim_.reset(); }
  void succeeded(const HostPtr& host, JobOutput& output) override;

 private:
  NameClaimPtr claim_;
};

}  // namespace flotilla::gateway
