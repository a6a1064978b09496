#include "engine/stats/stats_document.h"

#include "common/os/rfc3339.h"
#include "engine/jobs/json_writer.h"

namespace flotilla::engine {
namespace {

constexpr const char* kNever = "0001-01-01T00:00:00Z";

void number(JsonWriter& out, std::string_view name, std::uint64_t value) {
  out.key(name).raw(std::to_string(value));
}

/// Go's omitempty.
void numberIfAny(JsonWriter& out, std::string_view name, std::uint64_t value) {
  if (value != 0) {
    number(out, name, value);
  }
}

void time(JsonWriter& out, std::string_view name, std::int64_t nanoseconds) {
  out.member(name, nanoseconds == 0 ? std::string(kNever) : rfc3339(nanoseconds));
}

void blockIoList(JsonWriter& out, std::string_view name, const BlockIoUsage::List& list) {
  out.key(name);
  if (!list) {
    out.null();
    return;
  }
  out.beginArray();
  for (const BlockIoEntry& entry : *list) {
    out.beginObject();
    number(out, "major", entry.major_number);
    number(out, "minor", entry.minor_number);
    out.member("op", entry.operation);
    number(out, "value", entry.value);
    out.endObject();
  }
  out.endArray();
}

void blockIo(JsonWriter& out, const BlockIoUsage& usage) {
  out.key("blkio_stats").beginObject();
  blockIoList(out, "io_service_bytes_recursive", usage.service_bytes);
  blockIoList(out, "io_serviced_recursive", usage.serviced);
  blockIoList(out, "io_queue_recursive", usage.queued);
  blockIoList(out, "io_service_time_recursive", usage.service_time);
  blockIoList(out, "io_wait_time_recursive", usage.wait_time);
  blockIoList(out, "io_merged_recursive", usage.merged);
  blockIoList(out, "io_time_recursive", usage.time);
  blockIoList(out, "sectors_recursive", usage.sectors);
  out.endObject();
}

void cpu(JsonWriter& out, std::string_view name, const CpuUsage& usage, const HostCpu& host) {
  out.key(name).beginObject().key("cpu_usage").beginObject();
  number(out, "total_usage", usage.total);
  if (!usage.per_cpu.empty()) {
    out.key("percpu_usage").beginArray();
    for (const std::uint64_t one : usage.per_cpu) {
      out.raw(std::to_string(one));
    }
    out.endArray();
  }
  number(out, "usage_in_kernelmode", usage.kernel);
  number(out, "usage_in_usermode", usage.user);
  out.endObject();
  numberIfAny(out, "system_cpu_usage", host.total);
  numberIfAny(out, "online_cpus", host.online);
  out.key("throttling_data").beginObject();
  number(out, "periods", usage.periods);
  number(out, "throttled_periods", usage.throttled_periods);
  number(out, "throttled_time", usage.throttled_time);
  out.endObject().endObject();
}

void memory(JsonWriter& out, const MemoryUsage& usage, std::uint64_t host_memory) {
  out.key("memory_stats").beginObject();
  numberIfAny(out, "usage", usage.usage);
  numberIfAny(out, "max_usage", usage.max_usage);
  if (!usage.stats.empty()) {
    out.key("stats").beginObject();
    for (const auto& [name, value] : usage.stats) {
      number(out, name, value);
    }
    out.endObject();
  }
  numberIfAny(out, "failcnt", usage.failures);
  const bool beyond = host_memory != 0 && usage.limit > host_memory;
  numberIfAny(out, "limit", beyond ? host_memory : usage.limit);
  out.endObject();
}

void networks(JsonWriter& out, const Interfaces& interfaces) {
  if (interfaces.empty()) {
    return;
  }
  out.key("networks").beginObject();
  for (const auto& [name, counters] : interfaces) {
    out.key(name).beginObject();
    number(out, "rx_bytes", counters.rx_bytes);
    number(out, "rx_packets", counters.rx_packets);
    number(out, "rx_errors", counters.rx_errors);
    number(out, "rx_dropped", counters.rx_dropped);
    number(out, "tx_bytes", counters.tx_bytes);
    number(out, "tx_packets", counters.tx_packets);
    number(out, "tx_errors", counters.tx_errors);
    number(out, "tx_dropped", counters.tx_dropped);
    out.endObject();
  }
  out.endObject();
}

}  // namespace

std::string statsDocument(const std::optional<StatsSubject>& subject, const StatsSample& now,
                          const StatsSample& previous) {
  const ContainerUsage usage = now.usage.value_or(ContainerUsage{});
  const CpuUsage before = previous.usage ? previous.usage->cpu : CpuUsage{};
  JsonWriter out;
  out.beginObject();
  if (subject) {
    out.member("name", subject->name).member("id", subject->id);
  }
  time(out, "read", now.read_ns);
  time(out, "preread", previous.read_ns);
  out.key("pids_stats").beginObject();
  numberIfAny(out, "current", usage.pids.current);
  numberIfAny(out, "limit", usage.pids.limit);
  out.endObject();
  blockIo(out, usage.block_io);
  out.member("num_procs", 0).key("storage_stats").raw("{}");
  cpu(out, "cpu_stats", usage.cpu, now.host_cpu);
  cpu(out, "precpu_stats", before, previous.host_cpu);
  memory(out, usage.memory, now.host_memory);
  networks(out, now.interfaces);
  out.endObject();
  return out.take() + "\n";
}

}  // namespace flotilla::engine
