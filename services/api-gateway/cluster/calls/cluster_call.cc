#include "api-gateway/cluster/calls/cluster_call.h"

#include <utility>

#include "common/os/random.h"

namespace flotilla::gateway {

void ClusterCall::run(std::shared_ptr<ClusterCall> call) {
  call->context_.running[call->job_.id] = call;
  call->start();
}

void ClusterCall::cancel() {
  cancelled_ = true;
  if (forwarded_to_) {
    forwarded_to_->engine->cancel(forwarded_id_);  // its result ends the call
    return;
  }
  finish(Error{ErrorKind::Unavailable, "the client is gone"});
}

void ClusterCall::abandon() {
  if (const HostPtr host = std::exchange(forwarded_to_, nullptr)) {
    host->engine->cancel(forwarded_id_);
  }
  callbacks_ = {};
  cancel();
  release();
}

void ClusterCall::hostDown(const HostPtr& host) {
  if (const auto asking = asking_) {
    asking->drop(host, Error{ErrorKind::Unavailable, host->error});
  }
  // What is under way there (a wait, a followed log) may be answered when the host is back.
  if (forwarded_to_ != host || established_) {
    return;
  }
  host->engine->cancel(forwarded_id_);
  forwarded(host, attempt_,
            unhealthyError(job_.args.empty() ? job_.name : job_.args.front(), *host));
}

void ClusterCall::established(Established message) {
  if (std::exchange(established_, true) || finished_) {
    return;
  }
  if (callbacks_.on_established) {
    callbacks_.on_established(std::move(message));
  }
}

void ClusterCall::finish(JobResult result) {
  if (std::exchange(finished_, true)) {
    return;
  }
  const auto keep = shared_from_this();
  if (const auto asking = std::exchange(asking_, nullptr)) {
    asking->cancel();
  }
  context_.running.erase(job_.id);
  release();
  if (callbacks_.on_result) {
    std::exchange(callbacks_.on_result, nullptr)(std::move(result));
  }
}

void ClusterCall::forward(const HostPtr& host) {
  Job job = job_;
  if (!job.lifetime) {
    job.lifetime = context_.times.pick_up;
  }
  const unsigned attempt = ++attempt_;
  if (attempt > 1) {
    job.id = randomHex(16);  // an engine answers an id that it has seen with what it answered then
  }
  forwarded_to_ = host;
  forwarded_id_ = job.id;
  host->engine->submit(
      std::move(job), {.on_established =
                           [call = shared_from_this()](Established message) {
                             onLoop(call->reactor_, [call, message = std::move(message)]() mutable {
                               call->established(std::move(message));
                             });
                           },
                       .on_result =
                           [call = shared_from_this(), host, attempt](JobResult result) {
                             onLoop(call->reactor_,
                                    [call, host, attempt, result = std::move(result)]() mutable {
                                      call->forwarded(host, attempt, std::move(result));
                                    });
                           }});
}

void ClusterCall::forwarded(const HostPtr& host, unsigned attempt, JobResult result) {
  if (attempt != attempt_ || !forwarded_to_) {
    return;  // given up before
  }
  forwarded_to_ = nullptr;
  if (isSilence(result)) {
    context_.membership.suspect(host);
  }
  if (!finished_) {
    answered(host, std::move(result));
  }
}

void ClusterCall::answered(const HostPtr& /*host*/, JobResult result) { finish(std::move(result)); }

void ClusterCall::ask(const std::vector<HostPtr>& hosts, const Job& job,
                      const FanOut::Deadline& deadline, FanOut::Done done) {
  asking_ = nullptr;
  auto asking = FanOut::start(
      context_.reactor, hosts, job, deadline,
      [call = shared_from_this(), done = std::move(done)](std::vector<HostAnswer> answers) {
        call->asking_ = nullptr;
        if (!call->finished_) {
          done(std::move(answers));
        }
      });
  if (asking->running()) {
    asking_ = std::move(asking);
  }
}

void addWarnings(JobOutput& output, const std::vector<std::string>& warnings) {
  if (!warnings.empty()) {
    output.env.setList("warnings", warnings);
  }
}

bool isSilence(const JobResult& result) {
  return !result && (result.error().kind() == ErrorKind::Unavailable ||
                     result.error().kind() == ErrorKind::DeadlineExceeded);
}

std::vector<std::string> reportSilent(ClusterContext& context,
                                      const std::vector<HostAnswer>& answers,
                                      std::vector<std::string> absent) {
  std::vector<std::string> warnings = std::move(absent);
  for (const HostAnswer& answer : answers) {
    if (isSilence(answer.result)) {
      warnings.push_back(answer.host->name() + ": " + answer.result.error().message());
      context.membership.suspect(answer.host);
    }
  }
  return warnings;
}

Error unhealthyError(const std::string& container, const Host& host) {
  return Error{ErrorKind::Unavailable, "Container " + container + " running on unhealthy node " +
                                           host.name() +
                                           (host.error.empty() ? "" : ": " + host.error)};
}

}  // namespace flotilla::gateway
