#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "api-gateway/cluster/calls/merges.h"
#include "api-gateway/cluster/json_fields.h"
#include "common/json/json.h"
#include "common/os/host_name.h"
#include "common/os/rfc3339.h"

namespace flotilla::gateway {
namespace {

using Row = std::pair<std::string, std::string>;

std::string labelsText(const HostFacts& facts) {
  std::string text;
  for (const auto& [key, value] : facts.labels) {
    text += (text.empty() ? "" : ", ") + key + "=" + value;
  }
  return text;
}

std::string containersText(const Host& host) {
  const HostFacts& facts = host.facts;
  if (!host.healthy()) {
    return std::to_string(facts.containers);
  }
  return std::to_string(facts.containers) + " (" + std::to_string(facts.running) + " Running, " +
         std::to_string(facts.paused) + " Paused, " + std::to_string(facts.stopped) + " Stopped)";
}

/// "1.5": CPUs of billionths, as few digits as needed.
std::string cpusText(std::int64_t nano_cpus) {
  std::string text = std::to_string(nano_cpus / kNano);
  if (const auto rest = nano_cpus % kNano; rest != 0) {
    std::string digits = std::to_string(rest + kNano).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text;
}

/// "24.72 GiB", as Docker writes sizes of memory.
std::string bytesText(std::int64_t bytes) {
  auto value = static_cast<double>(bytes);
  const char* unit = "B";
  for (const char* larger : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
    if (value < 1024) {
      break;
    }
    value /= 1024;
    unit = larger;
  }
  return fmt::format("{:.4g} {}", value, unit);
}

void addHostRows(std::vector<Row>& rows, const Host& host, const HostUse& use) {
  const std::string branch = "  └ ";
  const bool unnamed = host.state == HostState::Pending && host.facts.name.empty();
  rows.emplace_back(" " + (unnamed ? "(unknown)" : host.name()), host.address);
  rows.emplace_back(branch + "ID", host.facts.engine_id);
  rows.emplace_back(branch + "Status", stateName(host.state));
  rows.emplace_back(branch + "Containers", containersText(host));
  rows.emplace_back(branch + "Reserved CPUs",
                    cpusText(use.nano_cpus) + " / " + std::to_string(host.facts.cpus));
  rows.emplace_back(branch + "Reserved Memory",
                    bytesText(use.memory) + " / " + bytesText(host.facts.memory));
  rows.emplace_back(branch + "Labels", labelsText(host.facts));
  if (!host.error.empty()) {
    rows.emplace_back(branch + "Error", host.error);
  }
  rows.emplace_back(branch + "UpdatedAt",
                    host.updated_s == 0 ? "" : rfc3339Seconds(host.updated_s));
  rows.emplace_back(branch + "ServerVersion", host.facts.version);
}

std::vector<Row> statusRows(ClusterContext& context, const std::vector<HostPtr>& hosts) {
  std::vector<Row> rows = {{"Role", "primary"},
                           {"Strategy", std::string(context.scheduler.strategy().name())},
                           {"Filters", std::string(Scheduler::kFilters)},
                           {"Nodes", std::to_string(hosts.size())}};
  for (const HostPtr& host : hosts) {
    addHostRows(rows, *host, context.index.use(*host));
  }
  return rows;
}

Document pairs(const std::vector<Row>& rows) {
  Document list = Document::array();
  for (const auto& [key, value] : rows) {
    list.push_back(Document::array({key, value}));
  }
  return list;
}

/// A host's document as the frame of the cluster's: what every engine says of itself alike.
Document frame(const std::vector<HostPtr>& hosts) {
  for (const HostPtr& host : hosts) {
    if (host->healthy() && host->facts.info.is_object()) {
      return Document::parse(json::dump(host->facts.info), nullptr, false);
    }
  }
  Document empty = Document::object();
  empty["OSType"] = "linux";
  empty["Swarm"] = Document::object({{"LocalNodeState", "inactive"}});
  return empty;
}

void addSums(Document& info, const std::vector<HostPtr>& hosts) {
  HostFacts sum;
  for (const HostPtr& host : hosts) {
    const HostFacts& facts = host->facts;
    sum.containers += facts.containers;
    sum.running += host->healthy() ? facts.running : 0;
    sum.paused += host->healthy() ? facts.paused : 0;
    sum.stopped += host->healthy() ? facts.stopped : 0;
    sum.images += facts.images;
    sum.cpus += facts.cpus;
    sum.memory += facts.memory;
  }
  info["Containers"] = sum.containers;
  info["ContainersRunning"] = sum.running;
  info["ContainersPaused"] = sum.paused;
  info["ContainersStopped"] = sum.stopped;
  info["Images"] = sum.images;
  info["NCPU"] = sum.cpus;
  info["MemTotal"] = sum.memory;
}

void addWarningsOf(Document& info, const std::vector<HostPtr>& hosts) {
  Document warnings = Document::array();
  for (const HostPtr& host : hosts) {
    if (!host->healthy()) {
      warnings.push_back("WARNING: node " + host->name() + " (" + host->address + ") is " +
                         stateName(host->state) + (host->error.empty() ? "" : ": " + host->error));
      continue;
    }
    const auto own = host->facts.info.find("Warnings");
    if (own != host->facts.info.end() && own->is_array()) {
      for (const auto& warning : *own) {
        if (warning.is_string()) {
          warnings.push_back(host->name() + ": " + warning.get<std::string>());
        }
      }
    }
  }
  info["Warnings"] = warnings.empty() ? Document() : std::move(warnings);
}

}  // namespace

JobResult mergeInfo(ClusterContext& context, std::vector<HostAnswer> answers) {
  for (const HostAnswer& answer : answers) {
    auto report = answer.result ? parseEngineReport(answer.result->body)
                                : Result<EngineReport>(answer.result.error());
    if (report && report->facts && report->facts->engine_id == answer.host->facts.engine_id) {
      context.membership.learned(answer.host, *std::move(report->facts));
    }
  }
  const auto hosts = context.membership.all();
  Document info = frame(hosts);
  addSums(info, hosts);
  info["ID"] = "";
  info["Name"] = hostName();
  info["Driver"] = "";
  info["Labels"] = Document::array();
  info["DockerRootDir"] = "";
  info["SystemTime"] = rfc3339(wallClockNanoseconds());
  info["SystemStatus"] = pairs(statusRows(context, hosts));
  info["DriverStatus"] = Document();  // docker info, 20.10 to 28, prints both
  addWarningsOf(info, hosts);
  return JobOutput{.body = dumped(info), .env = {}};
}

}  // namespace flotilla::gateway
