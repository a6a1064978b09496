#pragma once

#include "api-gateway/cluster/calls/cluster_call.h"

namespace flotilla::gateway {

/// A job about one container, named by its first argument in any form that swarm classic knew: done
/// by the host that has it. A reference that is not known here is asked of the hosts; one that has
/// gone from where it was is looked for once more.
class ContainerCall : public ClusterCall {
 public:
  ContainerCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

 protected:
  void start() override;
  void answered(const HostPtr& host, JobResult result) override;
  /// The container was found: the job is sent there.
  virtual void found(const HostPtr& host) { forward(host); }
  /// Runs with a result that is about to be the client's.
  virtual void succeeded(const HostPtr& host, JobOutput& output);

  [[nodiscard]] const std::string& reference() const { return reference_; }

 private:
  void locate();
  void located(std::vector<HostAnswer> answers, const std::vector<std::string>& absent,
               std::uint64_t asked_at);
  void chosen(const ContainerIndex::Entry& entry);

  std::string reference_;  // as the client gave it
  HostPtr only_;           // of "node/name"
  bool asked_hosts_ = false;
  std::optional<JobResult> first_miss_;
};

/// A job about an exec, named by its first argument.
class ExecCall final : public ClusterCall {
 public:
  ExecCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

 protected:
  void start() override;

 private:
  void located(const std::vector<HostAnswer>& answers, const std::vector<std::string>& absent);
};

/// Learns from a document of exec_inspect which container an exec belongs to.
void learnExec(ClusterContext& context, const HostPtr& host, const std::string& exec_id,
               const std::string& inspect_body);

}  // namespace flotilla::gateway
