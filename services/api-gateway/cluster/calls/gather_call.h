#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api-gateway/cluster/calls/cluster_call.h"

namespace flotilla::gateway {

/// A job that every host does and whose answers become one.
class GatherCall : public ClusterCall {
 public:
  /// Makes the client's answer of the hosts'. `answers` is empty when a filter means no host.
  using Merge = JobResult (*)(ClusterContext& context, const Job& job,
                              std::vector<HostAnswer> answers);
  enum class Kind { Question, Change };

  GatherCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks, Kind kind,
             Merge merge)
      : ClusterCall(context, std::move(job), std::move(callbacks)), kind_(kind), merge_(merge) {}

 protected:
  void start() override;

 private:
  const Kind kind_;
  const Merge merge_;
};

/// info: asks hosts for their facts and shows all of them, those that do not answer too.
class InfoCall final : public ClusterCall {
 public:
  InfoCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

 protected:
  void start() override;
};

/// volume_create: on all hosts, on the one of "node/name", or, for a volume without a name, which
/// is one container's, on any.
class VolumeCreateCall final : public ClusterCall {
 public:
  VolumeCreateCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

 protected:
  void start() override;
};

/// A job that any host can answer that has the object: the first that succeeds does.
class AnyCall final : public ClusterCall {
 public:
  AnyCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}
  void hostDown(const HostPtr& host) override;

 protected:
  void start() override;
  void release() override;

 private:
  void answer(const HostPtr& host, JobResult result);

  std::vector<HostAnswer> failures_;
  std::map<HostPtr, std::shared_ptr<HostCall>> calls_;  // of hosts whose answers are missing
  std::vector<std::string> absent_;
};

/// image_save: by one host that has all the images.
class SaveCall final : public ClusterCall {
 public:
  SaveCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

 protected:
  void start() override;

 private:
  void next();

  std::vector<HostPtr> candidates_;
  std::size_t checked_ = 0;
  std::vector<std::string> absent_;
};

}  // namespace flotilla::gateway
