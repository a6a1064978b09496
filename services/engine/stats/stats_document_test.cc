#include "engine/stats/stats_document.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

StatsSample sample() {
  StatsSample sample;
  sample.read_ns = 1'800'000'000'123'456'789;
  ContainerUsage usage;
  usage.cpu = {46930545, 10000000, 30000000, {661286, 46269259}, 1, 2, 3};
  usage.memory = {2588672, 4616192, 67108864, 0, {{"cache", 1982464}, {"rss", 49152}}};
  usage.pids = {1, 0};
  usage.block_io.service_bytes = {{254, 0, "Read", 4096}};
  usage.block_io.merged.emplace();
  sample.usage = usage;
  sample.host_cpu = {24153830000000, 2};
  sample.host_memory = 25276502016;
  sample.interfaces["eth0"] = {572, 6, 0, 0, 84, 2, 0, 0};
  return sample;
}

// Both recorded from dockerd 28.5.2, numbers aside.
TEST(StatsDocument, OfAContainerThatDoesNotRun) {
  EXPECT_EQ(
      statsDocument(StatsSubject{"/a", "57a8"}, {}, {}),
      R"({"name":"/a","id":"57a8","read":"0001-01-01T00:00:00Z","preread":"0001-01-01T00:00:00Z",)"
      R"("pids_stats":{},"blkio_stats":{"io_service_bytes_recursive":null,"io_serviced_recursive":null,)"
      R"("io_queue_recursive":null,"io_service_time_recursive":null,"io_wait_time_recursive":null,)"
      R"("io_merged_recursive":null,"io_time_recursive":null,"sectors_recursive":null},"num_procs":0,)"
      R"("storage_stats":{},"cpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,)"
      R"("usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},)"
      R"("precpu_stats":{"cpu_usage":{"total_usage":0,"usage_in_kernelmode":0,"usage_in_usermode":0},)"
      R"("throttling_data":{"periods":0,"throttled_periods":0,"throttled_time":0}},"memory_stats":{}})"
      "\n");
}

TEST(StatsDocument, OfARunningContainerComparedWithNothing) {
  EXPECT_EQ(
      statsDocument(std::nullopt, sample(), {}),
      R"({"read":"2027-01-15T08:00:00.123456789Z","preread":"0001-01-01T00:00:00Z","pids_stats":{"current":1},)"
      R"("blkio_stats":{"io_service_bytes_recursive":[{"major":254,"minor":0,"op":"Read","value":4096}],)"
      R"("io_serviced_recursive":null,"io_queue_recursive":null,"io_service_time_recursive":null,)"
      R"("io_wait_time_recursive":null,"io_merged_recursive":[],"io_time_recursive":null,)"
      R"("sectors_recursive":null},"num_procs":0,"storage_stats":{},"cpu_stats":{"cpu_usage":)"
      R"({"total_usage":46930545,"percpu_usage":[661286,46269259],"usage_in_kernelmode":10000000,)"
      R"("usage_in_usermode":30000000},"system_cpu_usage":24153830000000,"online_cpus":2,"throttling_data":)"
      R"({"periods":1,"throttled_periods":2,"throttled_time":3}},"precpu_stats":{"cpu_usage":{"total_usage":0,)"
      R"("usage_in_kernelmode":0,"usage_in_usermode":0},"throttling_data":{"periods":0,"throttled_periods":0,)"
      R"("throttled_time":0}},"memory_stats":{"usage":2588672,"max_usage":4616192,"stats":{"cache":1982464,)"
      R"("rss":49152},"limit":67108864},"networks":{"eth0":{"rx_bytes":572,"rx_packets":6,"rx_errors":0,)"
      R"("rx_dropped":0,"tx_bytes":84,"tx_packets":2,"tx_errors":0,"tx_dropped":0}}})"
      "\n");
}

TEST(StatsDocument, ComparesWithTheSampleBefore) {
  StatsSample before = sample();
  before.read_ns -= 1'000'000'000;
  before.usage->cpu.total = 41;
  const std::string document = statsDocument(std::nullopt, sample(), before);
  EXPECT_NE(document.find(R"("preread":"2027-01-15T07:59:59.123456789Z")"), std::string::npos);
  EXPECT_NE(document.find(R"("precpu_stats":{"cpu_usage":{"total_usage":41,)"), std::string::npos);
}

TEST(StatsDocument, ShowsTheHostsMemoryWhereThereIsNoLimit) {
  StatsSample unlimited = sample();
  unlimited.usage->memory.limit = 9223372036854771712U;
  EXPECT_NE(statsDocument(std::nullopt, unlimited, {}).find(R"(,"limit":25276502016})"),
            std::string::npos);
}

TEST(StatsDocument, CountsFailuresAndShowsLargeNumbersWhole) {
  StatsSample limited = sample();
  limited.usage->memory.failures = 3;
  limited.usage->pids.limit = 18446744073709551615U;
  const std::string document = statsDocument(std::nullopt, limited, {});
  EXPECT_NE(document.find(R"("failcnt":3,"limit")"), std::string::npos);
  EXPECT_NE(document.find(R"("pids_stats":{"current":1,"limit":18446744073709551615})"),
            std::string::npos);
}

}  // namespace
}  // namespace flotilla::engine
