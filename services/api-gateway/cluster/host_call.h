#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api-gateway/cluster/host.h"
#include "common/event/reactor.h"
#include "common/job/job.h"

namespace flotilla::gateway {

/// One job sent to one engine, with a deadline of its own: an engine that does not answer costs its
/// own answer only. On the reactor's thread; keeps itself alive until it is over.
class HostCall : public std::enable_shared_from_this<HostCall> {
 public:
  using Done = std::function<void(JobResult)>;

  /// `done` runs once on the reactor's thread, perhaps within this call; DeadlineExceeded when the
  /// engine said nothing for `deadline` (the job is cancelled then).
  static std::shared_ptr<HostCall> start(Reactor& reactor, std::shared_ptr<EngineClient> engine,
                                         Job job, std::chrono::milliseconds deadline, Done done);
  /// Nobody wants the answer any more: `done` does not run.
  void cancel();

  HostCall(Reactor& reactor, std::shared_ptr<EngineClient> engine, std::string id, Done done)
      : reactor_(reactor), engine_(std::move(engine)), id_(std::move(id)), done_(std::move(done)) {}

 private:
  void finish(JobResult result);

  Reactor& reactor_;
  const std::shared_ptr<EngineClient> engine_;
  const std::string id_;
  Done done_;
  Reactor::TimerId timer_ = 0;
};

/// What one host of several answered.
struct HostAnswer {
  HostPtr host;
  JobResult result;
};

/// The same job asked of several hosts at once.
class FanOut {
 public:
  using Deadline = std::function<std::chrono::milliseconds(const Host&)>;
  using Done = std::function<void(std::vector<HostAnswer>)>;

  /// `done` runs once on the reactor's thread, with one answer a host in the order of `hosts`.
  static std::shared_ptr<FanOut> start(Reactor& reactor, const std::vector<HostPtr>& hosts,
                                       const Job& job, const Deadline& deadline, Done done);
  void cancel();
  /// Waits no longer for `host`, which has gone down: `why` is its answer.
  void drop(const HostPtr& host, const Error& why);
  /// Are answers missing?
  [[nodiscard]] bool running() const;

 private:
  struct Gathering;
  std::shared_ptr<Gathering> gathering_;
};

/// Runs `fn` on the reactor's thread: now when this is it.
template <class Fn>
void onLoop(Reactor& reactor, Fn fn) {
  if (reactor.inLoop()) {
    fn();
  } else {
    reactor.post(std::move(fn));
  }
}

}  // namespace flotilla::gateway
