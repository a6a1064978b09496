#include "api-gateway/cluster/calls/list_call.h"

#include <utility>

#include "api-gateway/cluster/calls/asked_hosts.h"
#include "api-gateway/cluster/calls/node_names.h"
#include "api-gateway/cluster/json_fields.h"
#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

constexpr const char* kNever = "0001-01-01T00:00:00Z";  // of an image that does not say

}  // namespace

void ListCall::start() {
  auto filters = model::parseListFilters(job_.env.get("filters"));
  if (filters) {  // what is wrong with filters the engines say
    filters_ = *std::move(filters);
    for (auto& [name, values] : filters_) {
      for (std::string& value : values) {
        if (name == "before" || name == "since") {
          references_.push_back(&value);
        }
      }
    }
  }
  if (references_.empty()) {
    GatherCall::start();
  } else {
    lookUpNext();
  }
}

void ListCall::lookUpNext() {
  if (references_.empty()) {
    json::Json filters = json::Json::object();
    for (const auto& [name, values] : filters_) {
      filters[name] = values;
    }
    job_.env.set("filters", json::dump(filters));
    GatherCall::start();
    return;
  }
  std::string& reference = *references_.back();
  references_.pop_back();
  const bool container = job_.name == "container_list";
  const NodeName split =
      container ? splitNodeName(context_.membership, reference) : NodeName{nullptr, reference};
  const AskedHosts asked(split.host ? std::vector{split.host} : context_.membership.all());
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  Job question;
  question.name = container ? "container_inspect" : "image_inspect";
  question.args = {split.name};
  question.request_id = job_.request_id;
  ask(asked.healthy, question,
      [this, &reference, absent = asked.absent](const std::vector<HostAnswer>& answers) {
        lookedUp(reference, answers, absent);
      });
}

void ListCall::lookedUp(std::string& reference, const std::vector<HostAnswer>& answers,
                        const std::vector<std::string>& absent) {
  for (const HostAnswer& answer : answers) {
    const auto found = answer.result ? json::parse(answer.result->body)
                                     : Result<json::Json>(answer.result.error());
    if (found) {
      const std::string created = textOf(*found, "Created");
      reference = created.empty() ? kNever : created;
      lookUpNext();
      return;
    }
  }
  finish(unlessAbsent(mergedError(answers), reportSilent(context_, answers, absent)));
}

}  // namespace flotilla::gateway
