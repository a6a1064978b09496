#include "api-gateway/scheduler/scheduler.h"

#include <algorithm>
#include <utility>

namespace flotilla::gateway {
namespace {

bool everyAddress(const std::string& ip) { return ip.empty() || ip == "0.0.0.0" || ip == "::"; }

bool overlap(const HostPort& a, const HostPort& b) {
  // Of a range one port is taken; which one is the engine's to find: only single ports exclude.
  return a.first == a.last && b.first == b.last && a.first == b.first && a.protocol == b.protocol &&
         (everyAddress(a.ip) || everyAddress(b.ip) || a.ip == b.ip);
}

bool anyOverlap(const std::vector<HostPort>& held, const std::vector<HostPort>& asked) {
  return std::ranges::any_of(held, [&](const HostPort& one) {
    return std::ranges::any_of(asked, [&](const HostPort& other) { return overlap(one, other); });
  });
}

bool shareExposed(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::ranges::any_of(
      a, [&](const std::string& port) { return std::ranges::find(b, port) != b.end(); });
}

std::string conditions(const std::string& which) {
  return "Unable to find a node that satisfies the following conditions " + which;
}

std::string portCondition(const PlacementRequest& request) {
  std::string text;
  for (const HostPort& port : request.ports) {
    text += "\n[port " + std::to_string(port.first) + " (Bridge mode)]";
  }
  for (const std::string& port : request.exposed_ports) {
    text += request.host_network ? "\n[port " + port + " (Host mode)]" : "";
  }
  return text;
}

std::string dependencyCondition(const PlacementRequest& request) {
  std::string text = "\n[";
  for (const std::string& name : request.depends_on) {
    text += (text.size() > 2 ? " " : "") + name;
  }
  return text + "]";
}

}  // namespace

Scheduler::Placement::Placement(Scheduler& scheduler, HostPtr host, PlacementRequest request)
    : scheduler_(scheduler), host_(std::move(host)), request_(std::move(request)) {
  scheduler_.placements_.push_back(this);
}

Scheduler::Placement::~Placement() { std::erase(scheduler_.placements_, this); }

HostUse Scheduler::useOf(const Host& host) const {
  HostUse use = index_.use(host);
  for (const Placement* placement : placements_) {
    if (placement->host().get() == &host) {
      ++use.containers;
      use.nano_cpus += placement->request().nano_cpus;
      use.memory += placement->request().memory;
    }
  }
  return use;
}

bool Scheduler::portsFree(const Host& host, const PlacementRequest& request) const {
  bool taken = false;
  index_.forEach([&](const ContainerIndex::Entry& entry) {
    if (entry.host.get() != &host) {
      return;
    }
    taken = taken || anyOverlap(entry.row.ports, request.ports) ||
            (request.host_network && entry.row.network_mode == "host" &&
             shareExposed(entry.row.exposed_ports, request.exposed_ports));
  });
  return !taken && std::ranges::none_of(placements_, [&](const Placement* placement) {
    return placement->host().get() == &host &&
           (anyOverlap(placement->request().ports, request.ports) ||
            (request.host_network && placement->request().host_network &&
             shareExposed(placement->request().exposed_ports, request.exposed_ports)));
  });
}

Result<std::vector<HostPtr>> Scheduler::filter(const PlacementRequest& request,
                                               std::vector<HostPtr> hosts) const {
  std::erase_if(hosts, [](const HostPtr& host) { return !host->healthy(); });
  if (hosts.empty()) {
    return Error{ErrorKind::Unavailable, "No healthy node available in the cluster"};
  }
  if (!request.ports.empty() || (request.host_network && !request.exposed_ports.empty())) {
    std::erase_if(hosts, [&](const HostPtr& host) { return !portsFree(*host, request); });
    if (hosts.empty()) {
      return Error{ErrorKind::Internal, conditions(portCondition(request))};
    }
  }
  for (const std::string& name : request.depends_on) {
    std::erase_if(hosts,
                  [&](const HostPtr& host) { return index_.findOn(*host, name).entry == nullptr; });
  }
  if (hosts.empty()) {
    return Error{ErrorKind::Internal,
                 conditions(portCondition(request) + dependencyCondition(request))};
  }
  return hosts;
}

Result<std::unique_ptr<Scheduler::Placement>> Scheduler::place(const PlacementRequest& request,
                                                               const std::vector<HostPtr>& hosts) {
  FLO_TRY_ASSIGN(const auto suitable, filter(request, hosts));
  std::vector<Candidate> candidates;
  for (const HostPtr& host : suitable) {
    candidates.push_back({host, useOf(*host), last_chosen_[host.get()]});
  }
  const auto ranked = strategy_->rank(request, std::move(candidates));
  if (ranked.empty()) {
    return Error{ErrorKind::Internal, "no resources available to schedule container"};
  }
  const HostPtr& chosen = ranked.front().host;
  last_chosen_[chosen.get()] = ++choices_;
  return std::make_unique<Placement>(*this, chosen, request);
}

}  // namespace flotilla::gateway
