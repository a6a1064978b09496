#include "engine/stats/container_usage.h"

#include <gtest/gtest.h>

#include <limits>

namespace flotilla::engine {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

CgroupLayout v1() { return {FLO_TESTDATA "/v1", false}; }
CgroupLayout v2() { return {FLO_TESTDATA "/v2", true}; }

TEST(ContainerUsage, ReadsTheControllersOfV1) {
  const auto usage = readContainerUsage(v1(), "/flotilla/c1");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->cpu.total, 422179426U);
  EXPECT_EQ(usage->cpu.user, 400'000'000U);
  EXPECT_EQ(usage->cpu.kernel, 10'000'000U);
  EXPECT_EQ(usage->cpu.per_cpu, (std::vector<std::uint64_t>{42658945, 386067530}));
  EXPECT_EQ(usage->cpu.periods, 19U);
  EXPECT_EQ(usage->cpu.throttled_periods, 7U);
  EXPECT_EQ(usage->cpu.throttled_time, 123456789U);
  EXPECT_EQ(usage->memory.usage, 561152U);
  EXPECT_EQ(usage->memory.max_usage, 5074944U);
  EXPECT_EQ(usage->memory.limit, 67108864U);
  EXPECT_EQ(usage->memory.failures, 3U);
  EXPECT_EQ(usage->pids.current, 1U);
  EXPECT_EQ(usage->pids.limit, 20U);
}

TEST(ContainerUsage, ShowsOfV1sMemoryStatWhatDockerShows) {
  const auto usage = readContainerUsage(v1(), "/flotilla/c1");
  ASSERT_TRUE(usage);
  const auto& stats = usage->memory.stats;
  EXPECT_EQ(stats.size(), 32U);
  EXPECT_EQ(stats.at("rss"), 57344U);
  EXPECT_EQ(stats.at("total_pgpgin"), 1071U);
  EXPECT_EQ(stats.at("hierarchical_memsw_limit"), 134217728U);
  EXPECT_FALSE(stats.contains("swap"));
  EXPECT_FALSE(stats.contains("total_workingset_refault_anon"));
}

TEST(ContainerUsage, TakesV1BlockIoFromTheLayerThatSawAny) {
  const auto usage = readContainerUsage(v1(), "/flotilla/c1");
  ASSERT_TRUE(usage && usage->block_io.service_bytes && usage->block_io.merged);
  const auto& bytes = *usage->block_io.service_bytes;
  ASSERT_EQ(bytes.size(), 6U);  // a Total of the device, none of all devices
  EXPECT_EQ(bytes[0].major_number, 254U);
  EXPECT_EQ(bytes[0].minor_number, 0U);
  EXPECT_EQ(bytes[0].operation, "Read");
  EXPECT_EQ(bytes[0].value, 1048576U);
  EXPECT_TRUE(usage->block_io.merged->empty());
}

TEST(ContainerUsage, ReadsTheFilesOfV2) {
  const auto usage = readContainerUsage(v2(), "/flotilla/c1");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->cpu.total, 548'582'000U);
  EXPECT_EQ(usage->cpu.user, 530'120'000U);
  EXPECT_EQ(usage->cpu.kernel, 18'462'000U);
  EXPECT_TRUE(usage->cpu.per_cpu.empty());
  EXPECT_EQ(usage->cpu.periods, 24U);
  EXPECT_EQ(usage->cpu.throttled_periods, 5U);
  EXPECT_EQ(usage->cpu.throttled_time, 612'345'000U);
  EXPECT_EQ(usage->memory.usage, 2588672U);
  EXPECT_EQ(usage->memory.max_usage, 0U);
  EXPECT_EQ(usage->memory.failures, 2U);
  EXPECT_EQ(usage->memory.limit, kMax);
  EXPECT_EQ(usage->pids.current, 3U);
  EXPECT_EQ(usage->pids.limit, kMax);
}

TEST(ContainerUsage, ShowsOfV2sMemoryStatWhatDockerShows) {
  const auto usage = readContainerUsage(v2(), "/flotilla/c1");
  ASSERT_TRUE(usage);
  const auto& stats = usage->memory.stats;
  EXPECT_EQ(stats.size(), 31U);
  EXPECT_EQ(stats.at("file_mapped"), 1351680U);
  EXPECT_EQ(stats.at("workingset_refault"), 0U);  // newer kernels split it
  EXPECT_FALSE(stats.contains("percpu"));
}

TEST(ContainerUsage, TakesV2BlockIoFromIoStat) {
  const auto usage = readContainerUsage(v2(), "/flotilla/c1");
  ASSERT_TRUE(usage && usage->block_io.service_bytes);
  const auto& bytes = *usage->block_io.service_bytes;
  ASSERT_EQ(bytes.size(), 4U);
  EXPECT_EQ(bytes[0].operation, "read");
  EXPECT_EQ(bytes[0].value, 1048576U);
  EXPECT_EQ(bytes[1].operation, "write");
  EXPECT_EQ(bytes[1].value, 4096U);
  EXPECT_EQ(bytes[2].major_number, 7U);
  EXPECT_EQ(bytes[2].value, 0U);
  EXPECT_FALSE(usage->block_io.serviced);
}

TEST(ContainerUsage, ReadsMissingV2FilesAsNothing) {
  const auto usage = readContainerUsage(v2(), "/flotilla/c2");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->memory.limit, 67108864U);
  EXPECT_EQ(usage->cpu.total, 0U);
  EXPECT_FALSE(usage->block_io.service_bytes);
}

TEST(ContainerUsage, SaysWhenTheCgroupIsGone) {
  EXPECT_FALSE(readContainerUsage(v1(), "/flotilla/gone"));
  EXPECT_FALSE(readContainerUsage(v2(), "/flotilla/gone"));
}

TEST(CgroupFiles, PassesOverWhatItDoesNotUnderstand) {
  EXPECT_EQ(parseFlatKeyed("a 1\nb\nc x\n\nd 18446744073709551615\ne 2 3").size(), 3U);
  EXPECT_TRUE(parseBlkio("Total 0\n8 Read 1\n8:x Read 1\n8:0 Read\n8:0 Read -1\n").empty());
  EXPECT_EQ(parseBlkio("8:0 77\n").at(0).operation, "");
  EXPECT_TRUE(parseIoStat("garbage\n8:\n:\n").empty());
  EXPECT_EQ(parseIoStat("8:0 rbytes= wbytes\n").at(0).value, 0U);
}

}  // namespace
}  // namespace flotilla::engine
