#include "engine/stats/host_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace flotilla::engine {
namespace {

TEST(HostUsage, CountsSevenColumnsAndTheCpus) {
  const HostCpu cpu = parseHostCpu(
      "cpu  1345761 215818 216180 702790 5780 0 1976 29553 7 0\n"
      "cpu0 674229 108084 107753 350467 3378 0 355 14497 4 0\n"
      "cpu1 671531 107733 108427 352323 2401 0 1620 15056 3 0\n"
      "intr 18755356 0 0\ncpu2 1 1 1 1 1 1 1\n");
  EXPECT_EQ(cpu.total, (1345761ULL + 215818 + 216180 + 702790 + 5780 + 0 + 1976) * 10'000'000);
  EXPECT_EQ(cpu.online, 2U);
  EXPECT_EQ(parseHostCpu("").online, 0U);
}

TEST(HostUsage, ReadsThisHost) {
  EXPECT_GT(readHostCpu().total, 0U);
  EXPECT_GT(readHostMemory(), 1U << 20U);
}

TEST(HostUsage, LeavesLoopbackAndHeadingsOut) {
  const Interfaces interfaces = parseInterfaces(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls\n"
      "    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0 0\n"
      "  eth0:2588672     572    3    4    0     0          0         9       84       2    5    6    0     0       0 0\n"
      "cut off: 1 2\n");
  ASSERT_EQ(interfaces.size(), 1U);
  const InterfaceCounters& eth0 = interfaces.at("eth0");
  EXPECT_EQ(eth0.rx_bytes, 2588672U);
  EXPECT_EQ(eth0.rx_packets, 572U);
  EXPECT_EQ(eth0.rx_errors, 3U);
  EXPECT_EQ(eth0.rx_dropped, 4U);
  EXPECT_EQ(eth0.tx_bytes, 84U);
  EXPECT_EQ(eth0.tx_packets, 2U);
  EXPECT_EQ(eth0.tx_errors, 5U);
  EXPECT_EQ(eth0.tx_dropped, 6U);
}

TEST(HostUsage, SaysNothingOfTheHostsOwnNetwork) {
  EXPECT_TRUE(readInterfaces(::getpid()).empty());
  EXPECT_TRUE(readInterfaces(0).empty());
}

}  // namespace
}  // namespace flotilla::engine
