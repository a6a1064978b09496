#include "engine/jobs/report_job.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/jobs/json_writer.h"

namespace flotilla::engine {
namespace {

/// Ports of the host that the container asks for, running or not. What was left to chance shows in
/// the summary's Ports while it runs.
void writeHostPorts(JsonWriter& out, const ContainerSpec& spec) {
  out.key("HostPorts").beginArray();
  for (const auto& [port, bindings] : spec.host.port_bindings) {
    for (const auto& binding : bindings) {
      if (!binding.host_port.empty()) {
        out.beginObject()
            .member("IP", binding.host_ip)
            .member("Port", binding.host_port)
            .member("Container", port)
            .endObject();
      }
    }
  }
  out.endArray();
}

void writeRow(JsonWriter& out, ContainerView& view, const ContainerRecord& record,
              std::int64_t now) {
  std::string summary;
  view.appendSummary(summary, record, now, std::nullopt);
  const model::HostConfig& host = record.spec->host;
  out.beginObject().key("Summary").raw(summary);
  out.member("CreatedNs", record.created_ns)
      .member("NanoCpus", host.nano_cpus)
      .member("CpuShares", host.cpu_shares)
      .member("Memory", host.memory)
      .member("NetworkMode", host.network_mode)
      .member("ExposedPorts", record.spec->config.exposed_ports);
  writeHostPorts(out, *record.spec);
  out.endObject();
}

/// Changes with every change of any container: a change raises the greatest revision, a removal
/// alone lowers the count.
std::string stateMark(const std::vector<ContainerRecordPtr>& records) {
  std::uint64_t newest = 0;
  for (const auto& record : records) {
    newest = std::max(newest, record->revision);
  }
  return std::to_string(newest) + "." + std::to_string(records.size());
}

Result<std::vector<ContainerRecordPtr>> wantedContainers(Lifecycle& lifecycle, const Job& job,
                                                         const std::vector<ContainerRecordPtr>& all,
                                                         const std::string& mark) {
  if (job.args.empty()) {
    const bool known = job.env.getBool("brief") || job.env.get("mark") == mark;
    return known ? std::vector<ContainerRecordPtr>{} : all;
  }
  std::vector<ContainerRecordPtr> named;
  for (const std::string& name : job.args) {
    auto record = lifecycle.parts.catalog.get(name);
    if (record) {
      named.push_back(*std::move(record));
    } else if (!job.env.getBool("partial")) {
      return std::move(record).error();
    }
  }
  return named;
}

JobResult report(Lifecycle& lifecycle, ContainerView& view, const Job& job,
                 const std::function<JobResult()>& info) {
  FLO_TRY_ASSIGN(const auto all, lifecycle.parts.catalog.list());
  const std::string mark = stateMark(all);
  FLO_TRY_ASSIGN(const auto wanted, wantedContainers(lifecycle, job, all, mark));
  JsonWriter out;
  out.beginObject().member("Mark", mark);
  if (job.args.empty()) {
    FLO_TRY_ASSIGN(const JobOutput facts, info());
    out.key("Info").raw(facts.body);
  }
  if (!job.args.empty() || (!job.env.getBool("brief") && job.env.get("mark") != mark)) {
    out.key("Containers").beginArray();
    const std::int64_t now = lifecycle.parts.clock();
    for (const auto& record : wanted) {
      writeRow(out, view, *record, now);
    }
    out.endArray();
  }
  out.endObject();
  return JobOutput{out.take(), {}};
}

}  // namespace

void addReportJob(JobEngine& engine, Lifecycle& lifecycle, ContainerView& view,
                  std::function<JobResult()> info) {
  engine.handle("engine_report", Lane::Query,
                [&lifecycle, &view, info = std::move(info)](const JobContextPtr& context) {
                  context->complete(report(lifecycle, view, context->job(), info));
                });
}

}  // namespace flotilla::engine
