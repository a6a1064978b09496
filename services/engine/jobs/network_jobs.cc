#include "engine/jobs/network_jobs.h"
#include "common/model/list_filters.h"

namespace flotilla::engine {
namespace {

JobResult listNetworks(NetworkManager& networks, const Job& job) {
  FLO_TRY_ASSIGN(const auto filters, model::parseListFilters(job.env.get("filters")));
  FLO_TRY_ASSIGN(auto body, networks.listJson(filters));
  return JobOutput{std::move(body), {}};
}

JobResult inspectNetwork(NetworkManager& networks, const Job& job) {
  const auto name = job.args.empty() ? std::string{} : job.args.front();
  const auto scope = job.env.get("scope");
  if (!scope.empty() && scope != "local") {  // the only scope a network of one host has
    return Error{ErrorKind::NotFound, "network " + name + " not found"};
  }
  FLO_TRY_ASSIGN(auto body, networks.inspectJson(name));
  return JobOutput{std::move(body), {}};
}

}  // namespace

void addNetworkJobs(JobEngine& engine, NetworkManager& networks) {
  engine.handle("network_list", Lane::Query, [&networks](const JobContextPtr& context) {
    context->complete(listNetworks(networks, context->job()));
  });
  engine.handle("network_inspect", Lane::Query, [&networks](const JobContextPtr& context) {
    context->complete(inspectNetwork(networks, context->job()));
  });
}

}  // namespace flotilla::engine
