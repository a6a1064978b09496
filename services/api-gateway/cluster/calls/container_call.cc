#include "api-gateway/cluster/calls/container_call.h"

#include <algorithm>
#include <utility>

#include "api-gateway/cluster/calls/asked_hosts.h"
#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

std::string memberText(const std::string& body, const char* key) {
  const auto document = json::parse(body);
  if (!document || !document->is_object()) {
    return "";
  }
  auto text = json::stringOr(*document, key, "");
  return text ? *text : "";
}

/// Of the hosts that were asked; those that `unheard` gives the reasons of may know it.
Error unknown(const char* what, const std::string& reference,
              const std::vector<std::string>& unheard) {
  return unlessAbsent({ErrorKind::NotFound, std::string("No such ") + what + ": " + reference},
                      unheard);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    text += (text.empty() ? "" : ", ") + word;
  }
  return text;
}

Error ambiguous(const std::string& reference, const std::vector<std::string>& hosts) {
  return Error{ErrorKind::InvalidArgument, "multiple IDs found with provided prefix: " + reference +
                                               " (on " + joined(hosts) + ")"};
}

/// An inspect document with the host it is about, where swarm classic's clients look for it.
std::string withNode(std::string document, const Host& host) {
  const auto end = document.rfind('}');
  if (end == std::string::npos) {
    return document;
  }
  const json::Json node = {{"ID", host.facts.engine_id}, {"IP", host.ip()},
                           {"Addr", host.address},       {"Name", host.name()},
                           {"Cpus", host.facts.cpus},    {"Memory", host.facts.memory},
                           {"Labels", host.facts.labels}};
  return document.substr(0, end) + ",\"Node\":" + json::dump(node) + document.substr(end);
}

}  // namespace

void ContainerCall::start() {
  reference_ = job_.args.empty() ? "" : job_.args.front();
  if (reference_.starts_with('/')) {
    reference_.erase(0, 1);  // lists show names so
    job_.args.front() = reference_;
  }
  if (const auto slash = reference_.find('/'); slash != std::string::npos && slash > 0) {
    only_ = context_.membership.find(std::string_view(reference_).substr(0, slash));
    if (only_) {
      job_.args.front() = reference_.substr(slash + 1);
    }
  }
  locate();
}

void ContainerCall::locate() {
  const std::string& name = job_.args.empty() ? reference_ : job_.args.front();
  const auto known = only_ ? context_.index.findOn(*only_, name) : context_.index.find(name);
  if (known.entry != nullptr) {
    chosen(*known.entry);
    return;
  }
  if (asked_hosts_ && !known.hosts.empty()) {
    finish(ambiguous(reference_, known.hosts));
    return;
  }
  const AskedHosts asked(only_ ? std::vector{only_} : context_.membership.all());
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  if (asked_hosts_ && !first_miss_ && !only_ && job_.name.starts_with("container_")) {
    forward(asked.healthy.front());  // nobody has it: every job has words of its own for that
    return;
  }
  if (asked_hosts_) {
    finish(first_miss_ ? *std::move(first_miss_) : JobResult(unknown("container", reference_, {})));
    return;
  }
  asked_hosts_ = true;
  Job question;
  question.name = "engine_report";
  question.args = {name};
  question.request_id = job_.request_id;
  ask(asked.healthy, question,
      [this, absent = asked.absent, asked_at = context_.index.moment()](
          std::vector<HostAnswer> answers) { located(std::move(answers), absent, asked_at); });
}

void ContainerCall::located(std::vector<HostAnswer> answers, const std::vector<std::string>& absent,
                            std::uint64_t asked_at) {
  const std::string& name = job_.args.empty() ? reference_ : job_.args.front();
  for (HostAnswer& answer : answers) {
    if (answer.result) {
      auto report = parseEngineReport(answer.result->body);
      if (report && report->containers) {
        context_.index.replaceNamed(answer.host, name, *std::move(report->containers), asked_at);
      }
    } else if (answer.result.error().kind() == ErrorKind::NotFound) {
      context_.index.replaceNamed(answer.host, name, {}, asked_at);
    } else if (answer.result.error().kind() == ErrorKind::InvalidArgument) {
      finish(std::move(answer.result));  // an ambiguous prefix, or no name at all
      return;
    }
  }
  const auto unheard = reportSilent(context_, answers, absent);
  const auto known = context_.index.find(name);
  // What was there a moment ago is gone: the host that had it has said so.
  if (known.entry == nullptr && known.hosts.empty() && !unheard.empty() && !first_miss_) {
    finish(unknown("container", reference_, unheard));
    return;
  }
  locate();
}

void ContainerCall::chosen(const ContainerIndex::Entry& entry) {
  const HostPtr host = entry.host;
  if (!host->healthy()) {
    finish(unhealthyError(reference_, *host));
    return;
  }
  found(host);
}

void ContainerCall::answered(const HostPtr& host, JobResult result) {
  // Not what else an engine may not find, as a network.
  const bool missing =
      !result && result.error().kind() == ErrorKind::NotFound &&
      result.error().message().ends_with("No such container: " + job_.args.front());
  if (missing && !wasEstablished() && !asked_hosts_ && !cancelled()) {
    // It may have been removed and made again elsewhere, or never have been what was meant.
    const auto stale = context_.index.findOn(*host, job_.args.front());
    if (stale.entry != nullptr) {
      context_.index.remove(std::string(stale.entry->row.id));
    }
    first_miss_ = std::move(result);
    locate();
    return;
  }
  if (result) {
    succeeded(host, *result);
  }
  if (result && job_.name == "container_inspect") {
    result->body = withNode(std::move(result->body), *host);
  }
  finish(std::move(result));
}

void ContainerCall::succeeded(const HostPtr& host, JobOutput& output) {
  const auto known = context_.index.findOn(*host, job_.args.front());
  if (known.entry == nullptr) {
    return;
  }
  const std::string id = known.entry->row.id;
  if (job_.name == "exec_create") {
    context_.index.putExec(memberText(output.body, "Id"), id);
  } else if (job_.name == "container_remove") {
    context_.index.remove(id);
  } else if (job_.name == "container_start" || job_.name == "container_unpause") {
    context_.index.setState(id, "running");
  } else if (job_.name == "container_pause") {
    context_.index.setState(id, "paused");
  } else if (job_.name == "container_stop") {
    context_.index.setState(id, "exited");
  }
}

void ExecCall::start() {
  const std::string id = job_.args.empty() ? "" : job_.args.front();
  if (const auto* entry = context_.index.byExec(id)) {
    const HostPtr host = entry->host;
    if (host->healthy()) {
      forward(host);
    } else {
      finish(unhealthyError(entry->row.name, *host));
    }
    return;
  }
  const AskedHosts asked(context_.membership.all());
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  Job question;
  question.name = "exec_inspect";
  question.args = {id};
  question.request_id = job_.request_id;
  ask(asked.healthy, question,
      [this, absent = asked.absent](const std::vector<HostAnswer>& answers) {
        located(answers, absent);
      });
}

void ExecCall::located(const std::vector<HostAnswer>& answers,
                       const std::vector<std::string>& absent) {
  for (const HostAnswer& answer : answers) {
    if (answer.result) {
      learnExec(context_, answer.host, job_.args.front(), answer.result->body);
      forward(answer.host);
      return;
    }
  }
  finish(unknown("exec instance", job_.args.empty() ? "" : job_.args.front(),
                 reportSilent(context_, answers, absent)));
}

void learnExec(ClusterContext& context, const HostPtr& host, const std::string& exec_id,
               const std::string& inspect_body) {
  const std::string container = memberText(inspect_body, "ContainerID");
  if (context.index.findOn(*host, container).entry != nullptr) {
    context.index.putExec(exec_id, container);
  }
}

}  // namespace flotilla::gateway
