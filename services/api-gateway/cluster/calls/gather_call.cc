#include "api-gateway/cluster/calls/gather_call.h"

#include <algorithm>
#include <utility>

#include "api-gateway/cluster/calls/asked_hosts.h"
#include "api-gateway/cluster/calls/merges.h"
#include "api-gateway/cluster/calls/node_names.h"
#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

/// "node/name" narrows the hosts to that one. Names of images have slashes of their own.
void narrowToNode(const ClusterContext& context, Job& job, std::vector<HostPtr>& hosts) {
  if (job.args.empty() || job.name.starts_with("image_")) {
    return;
  }
  auto split = splitNodeName(context.membership, job.args.front());
  if (split.host) {
    std::erase_if(hosts, [&](const HostPtr& host) { return host != split.host; });
    job.args.front() = std::move(split.name);
  }
}

}  // namespace

void GatherCall::start() {
  auto hosts = context_.membership.all();
  const bool any_listed = !hosts.empty();
  narrowToNode(context_, job_, hosts);
  const Job original = job_;  // the merge sees the filters as the client gave them
  if (auto filtered = applyNodeFilter(job_.env, hosts); !filtered) {
    finish(filtered.error());
    return;
  }
  const AskedHosts asked(hosts);
  const bool none_meant = hosts.empty() && any_listed;  // by the filter: the answer is empty, too
  if (asked.healthy.empty() && !none_meant) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  const auto patience = [this](const Host&) { return context_.times.change; };
  ask(asked.healthy, job_, kind_ == Kind::Change ? FanOut::Deadline(patience) : context_.deadline(),
      [this, original, absent = asked.absent](std::vector<HostAnswer> answers) {
        const auto warnings = reportSilent(context_, answers, absent);
        auto merged = merge_(context_, original, std::move(answers));
        if (!merged) {
          finish(unlessAbsent(std::move(merged).error(), absent));
          return;
        }
        addWarnings(*merged, warnings);
        finish(std::move(merged));
      });
}

void InfoCall::start() {
  Job question;
  question.name = "engine_report";
  question.env.setBool("brief", true);
  question.request_id = job_.request_id;
  const auto patience = [this](const Host& host) {
    // Nobody waits long for what is known well enough.
    return host.failures > 0 ? context_.times.doubted
                             : std::min(context_.times.answer, 2 * context_.times.doubted);
  };
  const AskedHosts asked(context_.membership.all());
  ask(asked.healthy, question, patience,
      [this, absent = asked.absent](std::vector<HostAnswer> answers) {
        const auto warnings = reportSilent(context_, answers, absent);
        auto info = mergeInfo(context_, std::move(answers));
        if (info) {
          addWarnings(*info, warnings);
        }
        finish(std::move(info));
      });
}

void VolumeCreateCall::start() {
  auto hosts = context_.membership.all();
  auto body = json::parse(job_.body.empty() ? "{}" : job_.body);
  auto name = body ? json::stringOr(*body, "Name", "") : Result<std::string>(body.error());
  if (!name) {
    finish(name.error());
    return;
  }
  const auto split = splitNodeName(context_.membership, *name);
  if (split.host) {
    (*body)["Name"] = split.name;
    job_.body = json::dump(*body);
    std::erase_if(hosts, [&](const HostPtr& host) { return host != split.host; });
  } else if (name->empty()) {
    auto placement = context_.scheduler.place({}, hosts);
    if (!placement) {
      finish(placement.error());
      return;
    }
    hosts = {(*placement)->host()};
  }
  const AskedHosts asked(hosts);
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  const auto patience = [this](const Host&) { return context_.times.change; };
  ask(asked.healthy, job_, patience,
      [this, absent = asked.absent](std::vector<HostAnswer> answers) {
        const auto warnings = reportSilent(context_, answers, absent);
        auto created = mergeCreate(context_, job_, std::move(answers));
        if (created) {
          addWarnings(*created, warnings);
        }
        finish(std::move(created));
      });
}

void AnyCall::start() {
  auto hosts = context_.membership.all();
  narrowToNode(context_, job_, hosts);
  const AskedHosts asked(hosts);
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  absent_ = asked.absent;
  for (const HostPtr& host : asked.healthy) {
    calls_[host] = nullptr;
  }
  for (const HostPtr& host : asked.healthy) {
    if (finished()) {
      return;
    }
    auto call = HostCall::start(context_.reactor, host->engine, job_, context_.deadline()(*host),
                                [keep = self<AnyCall>(), host](JobResult result) {
                                  keep->answer(host, std::move(result));
                                });
    if (const auto waiting = calls_.find(host); waiting != calls_.end()) {
      waiting->second = std::move(call);  // it has not answered within submit()
    }
  }
}

void AnyCall::answer(const HostPtr& host, JobResult result) {
  if (calls_.erase(host) == 0 || finished()) {
    return;
  }
  if (!result) {
    failures_.push_back({host, std::move(result)});
    if (!calls_.empty()) {
      return;
    }
    reportSilent(context_, failures_, {});
    // An image that only an absent host has runs nowhere: clients pull it when they are told 404.
    const bool image = job_.name.starts_with("image_");
    const Error failure = mergedError(failures_);
    result = image ? failure : unlessAbsent(failure, absent_);
  }
  finish(std::move(result));
}

/// One answer was enough, or nobody waits for any.
void AnyCall::release() {
  for (const auto& [host, call] : std::exchange(calls_, {})) {
    if (call) {
      call->cancel();
    }
  }
}

void AnyCall::hostDown(const HostPtr& host) {
  const auto waiting = calls_.find(host);
  if (waiting != calls_.end() && waiting->second) {
    waiting->second->cancel();
    answer(host, Error{ErrorKind::Unavailable, host->error});
  }
}

void SaveCall::start() {
  const AskedHosts asked(context_.membership.all());
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  candidates_ = asked.healthy;
  absent_ = asked.absent;
  next();
}

void SaveCall::next() {
  if (checked_ == job_.args.size()) {
    forward(candidates_.front());
    return;
  }
  Job question;
  question.name = "image_inspect";
  question.args = {job_.args[checked_++]};
  ask(candidates_, question, [this](const std::vector<HostAnswer>& answers) {
    const HostPtr any = candidates_.front();
    candidates_.clear();
    for (const HostAnswer& answer : answers) {
      if (answer.result) {
        candidates_.push_back(answer.host);
      }
    }
    if (candidates_.empty() && job_.args.size() == 1 && absent_.empty() &&
        mergedError(answers).kind() == ErrorKind::NotFound) {
      forward(any);  // it has the words for what nobody has
      return;
    }
    if (candidates_.empty()) {
      std::string names;
      for (const std::string& name : job_.args) {
        names += (names.empty() ? "" : " ") + name;
      }
      finish(unlessAbsent(
          job_.args.size() == 1
              ? mergedError(answers)
              : Error{ErrorKind::NotFound,
                      "Unable to find a healthy engine containing all images: [" + names + "]"},
          absent_));
      return;
    }
    next();
  });
}

}  // namespace flotilla::gateway
