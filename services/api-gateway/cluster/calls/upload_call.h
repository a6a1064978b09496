#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "api-gateway/cluster/calls/merged_stream.h"

namespace flotilla::gateway {

/// image_load, image_import, and image_create, which sends none: the client's archive goes to every
/// healthy host, at the pace of the slowest; one that takes nothing for too long is left behind.
/// Their progress comes back as one stream of lines, in the end those that were not reached. With
/// one host it is the host's own affair.
class UploadCall final : public ClusterCall {
 public:
  UploadCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : ClusterCall(context, std::move(job), std::move(callbacks)) {}

  void cancel() override;
  void hostDown(const HostPtr& host) override;

 protected:
  void start() override;

 private:
  struct Branch;
  using BranchPtr = std::shared_ptr<Branch>;

  void submitTo(const BranchPtr& branch);
  void connected(const BranchPtr& branch, Result<net::StreamPtr> stream);
  void resultOf(const BranchPtr& branch, JobResult result);
  void drop(const BranchPtr& branch, const Error& why);
  void addError(const BranchPtr& branch, const std::string& text);
  void startIfReady();
  void clientCame(net::StreamPtr client);

  void pumpInput();
  void push(const BranchPtr& branch);
  void watchForStall();

  void readAnswer(const BranchPtr& branch);
  void takeLine(const BranchPtr& branch, const std::string& line);
  void finishIfComplete();
  void close(JobResult result);
  std::vector<BranchPtr> open() const;

  std::vector<BranchPtr> branches_;
  std::vector<std::string> absent_;  // hosts that do not get it, with the reasons
  std::shared_ptr<MergedStream> stream_;
  net::StreamPtr client_;
  bool input_ended_ = false;
  std::set<std::string> said_;  // lines that hosts share are passed on once
  [[nodiscard]] std::string errorText() const;
  std::vector<std::pair<std::string, std::string>> errors_;  // of which hosts
  Reactor::TimerId ready_timer_ = 0;
  Reactor::TimerId stall_timer_ = 0;
};

}  // namespace flotilla::gateway
