#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api-gateway/cluster/container_index.h"
#include "api-gateway/cluster/engine_directory.h"
#include "api-gateway/cluster/host_call.h"
#include "api-gateway/cluster/membership.h"
#include "api-gateway/scheduler/scheduler.h"
#include "common/queue/job_queue.h"
#include "common/stream/stream_client.h"
#include "common/stream/stream_server.h"

namespace flotilla::gateway {

class ClusterCall;

struct ClusterTimes {
  std::chrono::milliseconds answer = std::chrono::seconds(5);  // of a host, to a question to all
  std::chrono::milliseconds change = std::chrono::minutes(2);  // of a host, to a change of all
  std::chrono::milliseconds doubted =
      std::chrono::milliseconds(500);                            // of one that is silent already
  std::chrono::milliseconds pick_up = std::chrono::seconds(30);  // until a worker takes a job
  std::chrono::milliseconds reservation = std::chrono::seconds(10);  // of a name, renewed
  std::chrono::milliseconds settle =
      std::chrono::seconds(1);  // changes of containers are asked for together
};

/// What the calls of a cluster share. On the reactor's thread; outlives the calls.
struct ClusterContext {
  Reactor& reactor;
  Membership& membership;
  ContainerIndex& index;
  EngineDirectory& directory;
  Scheduler& scheduler;
  StreamServer& streams;  // where clients come for streams that the gateway merges or spreads
  StreamDial dial;        // to the engines' streams
  ClusterTimes times;
  std::unordered_map<std::string, std::shared_ptr<ClusterCall>> running = {};  // by job id

  /// How long a host may take to answer: less when it has left something unanswered already.
  [[nodiscard]] FanOut::Deadline deadline() const {
    return [this](const Host& host) { return host.failures > 0 ? times.doubted : times.answer; };
  }
};

/// One job of a client while the cluster works on it. On the reactor's thread; kept in
/// ClusterContext::running until it is finished.
class ClusterCall : public std::enable_shared_from_this<ClusterCall> {
 public:
  virtual ~ClusterCall() = default;
  ClusterCall(const ClusterCall&) = delete;
  ClusterCall& operator=(const ClusterCall&) = delete;

  /// Begins, and keeps the call until it finishes.
  static void run(std::shared_ptr<ClusterCall> call);

  /// The client is gone. The result still comes.
  virtual void cancel();
  /// The cluster ends: nothing is called any more, and the call is finished.
  void abandon();
  /// A host does not answer any more.
  virtual void hostDown(const HostPtr& host);
  /// A host came, or came back.
  virtual void hostUp(const HostPtr& /*host*/) {}

  /// Asks hosts the same thing; `done` is not called after cancel().
  void ask(const std::vector<HostPtr>& hosts, const Job& job, FanOut::Done done) {
    ask(hosts, job, context_.deadline(), std::move(done));
  }
  void ask(const std::vector<HostPtr>& hosts, const Job& job, const FanOut::Deadline& deadline,
           FanOut::Done done);
  /// Its client was told, or is told nothing any more. The context may be gone by then.
  [[nodiscard]] bool finished() const { return finished_; }

 protected:
  ClusterCall(ClusterContext& context, Job job, JobQueue::Callbacks callbacks)
      : context_(context),
        job_(std::move(job)),
        reactor_(context.reactor),
        callbacks_(std::move(callbacks)) {}

  virtual void start() = 0;
  /// Gives back what it holds of the context: the call is over, and an engine's queue may keep it
  /// for longer than the context lives.
  virtual void release() {}

  void established(Established message);
  void finish(JobResult result);
  [[nodiscard]] bool cancelled() const { return cancelled_; }

  /// Sends the client's job, as it is in job_ now, to one host. What it says when established goes
  /// to the client; its result to answered(), unless the host goes down first: then Unavailable.
  void forward(const HostPtr& host);
  virtual void answered(const HostPtr& host, JobResult result);
  [[nodiscard]] bool wasEstablished() const { return established_; }

  template <class T>
  std::shared_ptr<T> self() {
    return std::static_pointer_cast<T>(shared_from_this());
  }

  ClusterContext& context_;
  Job job_;

 private:
  void forwarded(const HostPtr& host, unsigned attempt, JobResult result);

  Reactor& reactor_;  // outlives the context
  JobQueue::Callbacks callbacks_;
  HostPtr forwarded_to_;  // while its answer is awaited
  std::string forwarded_id_;
  unsigned attempt_ = 0;
  std::shared_ptr<FanOut> asking_;
  bool established_ = false;
  bool cancelled_ = false;
  bool finished_ = false;
};

/// Adds warnings that the response carries to what the client gets.
void addWarnings(JobOutput& output, const std::vector<std::string>& warnings);

/// "node-1: no answer within 5 s" for every host that did not answer, and asks those how they are.
/// Beside them stands `absent`: the same of hosts that were not asked.
std::vector<std::string> reportSilent(ClusterContext& context,
                                      const std::vector<HostAnswer>& answers,
                                      std::vector<std::string> absent);
/// Did the host not answer (rather than answer with an error)?
bool isSilence(const JobResult& result);

/// Why a container of `host` cannot be worked on now, in the words of swarm classic.
Error unhealthyError(const std::string& container, const Host& host);

}  // namespace flotilla::gateway
