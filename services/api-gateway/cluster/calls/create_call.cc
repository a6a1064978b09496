#include "api-gateway/cluster/calls/create_call.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "api-gateway/cluster/calls/asked_hosts.h"
#include "api-gateway/cluster/json_fields.h"
#include "common/json/json.h"
#include "common/model/random_name.h"

namespace flotilla::gateway {
namespace {

using json::Json;

constexpr int kNameTries = 6;

std::string asText(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::int64_t asNumber(const Json& value) {
  return value.is_number_integer() ? std::max<std::int64_t>(0, value.get<std::int64_t>()) : 0;
}

/// The container a "container:x" mode or a "x:ro", "x:alias" entry refers to.
std::string beforeColon(const std::string& entry) { return entry.substr(0, entry.find(':')); }

std::vector<std::string> dependencies(const Json& host_config) {
  std::vector<std::string> names;
  for (const char* list : {"VolumesFrom", "Links"}) {
    for (const Json& entry : memberOf(host_config, list)) {
      names.push_back(beforeColon(asText(entry)));
    }
  }
  constexpr std::string_view kContainer = "container:";
  for (const char* mode : {"NetworkMode", "PidMode", "IpcMode"}) {
    const std::string value = asText(memberOf(host_config, mode));
    if (value.starts_with(kContainer)) {
      names.push_back(value.substr(kContainer.size()));
    }
  }
  std::erase(names, "");
  return names;
}

/// What the engine will check and refuse is of no interest here: only what matters for the choice.
PlacementRequest placementOf(const Json& body) {
  const Json& host = memberOf(body, "HostConfig");
  PlacementRequest request;
  request.nano_cpus = asNumber(memberOf(host, "NanoCpus"));
  const std::int64_t period = asNumber(memberOf(host, "CpuPeriod"));
  const std::int64_t quota = asNumber(memberOf(host, "CpuQuota"));
  if (request.nano_cpus == 0 && quota > 0) {
    request.nano_cpus = quota * kNano / (period > 0 ? period : 100'000);
  }
  request.memory = asNumber(memberOf(host, "Memory"));
  for (const auto& [port, bindings] : memberOf(host, "PortBindings").items()) {
    for (const Json& binding : bindings) {
      if (auto asked = parseHostPort(asText(memberOf(binding, "HostIp")),
                                     asText(memberOf(binding, "HostPort")), port)) {
        request.ports.push_back(*std::move(asked));
      }
    }
  }
  request.host_network = asText(memberOf(host, "NetworkMode")) == "host";
  for (const auto& [port, nothing] : memberOf(body, "ExposedPorts").items()) {
    request.exposed_ports.push_back(port);
  }
  request.depends_on = dependencies(host);
  return request;
}

/// The container as the index shows it until the engine's own row is there.
ContainerRow rowOf(const Job& job, const Json& body, const PlacementRequest& request) {
  ContainerRow row;
  row.id = job.env.get("id");
  row.image = asText(memberOf(body, "Image"));
  row.state = "created";
  row.network_mode = asText(memberOf(memberOf(body, "HostConfig"), "NetworkMode"));
  row.created_ns = std::time(nullptr) * kNano;
  row.nano_cpus = request.nano_cpus;
  row.memory = request.memory;
  row.ports = request.ports;
  row.exposed_ports = request.exposed_ports;
  for (const auto& [key, value] : memberOf(body, "Labels").items()) {
    row.labels[key] = asText(value);
  }
  return row;
}

/// Hosts that cannot be asked may hold the name.
void warnOfAbsent(const ClusterContext& context, JobOutput& output) {
  addWarnings(output, AskedHosts(context.membership.all()).absent);
}

std::string bareName(std::string name) {
  name.erase(0, name.starts_with('/') ? 1 : 0);
  return name;
}

}  // namespace

void CreateCall::start() {
  const auto body = json::parse(job_.body);
  if (!body) {
    finish(body.error());
    return;
  }
  const AskedHosts asked(context_.membership.all());
  if (asked.healthy.empty()) {
    finish(nobodyHealthy(asked.absent));
    return;
  }
  request_ = placementOf(*body);
  row_ = rowOf(job_, *body, request_);
  row_.name = bareName(job_.env.get("name"));
  if (row_.name.empty()) {
    random_name_ = true;
    nameRandomly();
    place(asked.healthy);
    return;
  }
  claimName(context_, shared_from_this(), row_.name, row_.id, [this](Result<NameClaimPtr> claim) {
    if (finished()) {
      return;
    }
    if (!claim) {
      finish(claim.error());
      return;
    }
    claim_ = *std::move(claim);
    place(context_.membership.healthy());
  });
}

void CreateCall::release() {
  placement_.reset();
  claim_.reset();
}

void CreateCall::nameRandomly() {
  do {
    row_.name = model::randomName(name_tries_++);
  } while (!context_.index.named(row_.name).empty() && name_tries_ < kNameTries);
  job_.env.set("name", row_.name);
}

void CreateCall::place(const std::vector<HostPtr>& hosts) {
  placement_.reset();
  auto placement = context_.scheduler.place(request_, hosts);
  if (!placement) {
    finish(placement.error());
    return;
  }
  placement_ = *std::move(placement);
  forward(placement_->host());
}

void CreateCall::answered(const HostPtr& host, JobResult result) {
  if (result) {
    created(host);
    if (!random_name_) {
      warnOfAbsent(context_, *result);
    }
    finish(std::move(result));
    return;
  }
  const ErrorKind kind = result.error().kind();
  const bool taken = kind == ErrorKind::Conflict || kind == ErrorKind::AlreadyExists;
  if (taken && random_name_ && name_tries_ < kNameTries && !cancelled()) {
    nameRandomly();
    forward(host);
    return;
  }
  if (kind == ErrorKind::NotFound && !looked_for_image_ && !cancelled()) {
    lookForImage(std::move(result));
    return;
  }
  placement_.reset();
  finish(std::move(result));
}

void CreateCall::created(const HostPtr& host) {
  placement_.reset();  // the row counts from now on
  if (context_.index.byId(row_.id) == nullptr) {
    context_.index.put(host, row_);
  }
}

void CreateCall::lookForImage(JobResult missing) {
  looked_for_image_ = true;
  Job question;
  question.name = "image_inspect";
  question.args = {row_.image};
  question.request_id = job_.request_id;
  ask(context_.membership.healthy(), question,
      [this, missing = std::move(missing)](const std::vector<HostAnswer>& answers) {
        std::vector<HostPtr> having;
        for (const HostAnswer& answer : answers) {
          if (answer.result) {
            having.push_back(answer.host);
          }
        }
        if (having.empty()) {
          finish(missing);
        } else {
          place(having);
        }
      });
}

void RenameCall::found(const HostPtr& host) {
  const std::string name = bareName(job_.env.get("name"));
  const auto known = context_.index.findOn(*host, job_.args.front());
  const std::string id = known.entry == nullptr ? "" : known.entry->row.id;
  if (known.entry != nullptr && known.entry->row.name == name) {
    forward(host);  // the engine has the words for it
    return;
  }
  claimName(context_, shared_from_this(), name, id, [this, host](Result<NameClaimPtr> claim) {
    if (finished()) {
      return;
    }
    if (!claim) {
      finish(std::move(claim).error().context("Error when allocating new name"));
      return;
    }
    claim_ = *std::move(claim);
    forward(host);
  });
}

void RenameCall::succeeded(const HostPtr& host, JobOutput& output) {
  warnOfAbsent(context_, output);
  const auto known = context_.index.findOn(*host, job_.args.front());
  if (known.entry != nullptr) {
    context_.index.rename(std::string(known.entry->row.id), bareName(job_.env.get("name")));
  }
}

}  // namespace flotilla::gateway
