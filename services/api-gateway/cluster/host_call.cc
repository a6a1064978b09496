#include "api-gateway/cluster/host_call.h"

#include <optional>
#include <utility>

#include "common/os/random.h"

namespace flotilla::gateway {
namespace {

std::string inSeconds(std::chrono::milliseconds time) {
  const auto ms = time.count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}

}  // namespace

std::shared_ptr<HostCall> HostCall::start(Reactor& reactor, std::shared_ptr<EngineClient> engine,
                                          Job job, std::chrono::milliseconds deadline, Done done) {
  job.id = randomHex(16);
  job.lifetime = deadline;
  auto call = std::make_shared<HostCall>(reactor, engine, job.id, std::move(done));
  call->timer_ = reactor.runAfter(deadline, [call, deadline] {
    call->timer_ = 0;
    const std::string id = call->id_;
    const auto client = call->engine_;
    call->finish(Error{ErrorKind::DeadlineExceeded, "no answer within " + inSeconds(deadline)});
    client->cancel(id);
  });
  engine->submit(std::move(job), {.on_established = nullptr, .on_result = [call](JobResult result) {
                                    onLoop(call->reactor_,
                                           [call, result = std::move(result)]() mutable {
                                             call->finish(std::move(result));
                                           });
                                  }});
  return call;
}

void HostCall::finish(JobResult result) {
  const auto keep = shared_from_this();
  reactor_.cancelTimer(std::exchange(timer_, 0));
  if (auto done = std::exchange(done_, nullptr)) {
    done(std::move(result));
  }
}

void HostCall::cancel() {
  if (!done_) {
    return;
  }
  const auto keep = shared_from_this();
  done_ = nullptr;
  reactor_.cancelTimer(std::exchange(timer_, 0));
  engine_->cancel(id_);
}

/// Shared by the calls' callbacks; gone when the last answer is in.
struct FanOut::Gathering {
  std::vector<HostPtr> hosts;
  std::vector<std::optional<JobResult>> results;
  std::vector<std::shared_ptr<HostCall>> calls;
  std::size_t missing = 0;
  Done done;

  void answered(std::size_t index, JobResult result) {
    results[index] = std::move(result);
    --missing;
    finishIfComplete();
  }

  void finishIfComplete() {
    if (missing > 0 || !done) {
      return;
    }
    std::vector<HostAnswer> answers;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      answers.push_back({hosts[i], *std::move(results[i])});
    }
    calls.clear();
    std::exchange(done, nullptr)(std::move(answers));
  }
};

std::shared_ptr<FanOut> FanOut::start(Reactor& reactor, const std::vector<HostPtr>& hosts,
                                      const Job& job, const Deadline& deadline, Done done) {
  auto gathering = std::make_shared<Gathering>();
  gathering->hosts = hosts;
  gathering->results.resize(hosts.size());
  gathering->done = std::move(done);
  // One more than there are hosts: answers that come while this loop runs must not end it.
  gathering->missing = hosts.size() + 1;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    gathering->calls.push_back(HostCall::start(
        reactor, hosts[i]->engine, job, deadline(*hosts[i]),
        [gathering, i](JobResult result) { gathering->answered(i, std::move(result)); }));
  }
  auto fan_out = std::make_shared<FanOut>();
  fan_out->gathering_ = gathering;
  --gathering->missing;
  gathering->finishIfComplete();
  return fan_out;
}

bool FanOut::running() const { return gathering_->missing > 0 && gathering_->done != nullptr; }

void FanOut::drop(const HostPtr& host, const Error& why) {
  const auto gathering = gathering_;
  for (std::size_t i = 0; i < gathering->calls.size(); ++i) {
    if (gathering->hosts[i] == host && !gathering->results[i]) {
      gathering->calls[i]->cancel();
      gathering->answered(i, why);
      return;
    }
  }
}

void FanOut::cancel() {
  gathering_->done = nullptr;
  for (const auto& call : std::exchange(gathering_->calls, {})) {
    call->cancel();
  }
}

}  // namespace flotilla::gateway
