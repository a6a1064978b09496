// What the shim costs: time on the path of a start, memory, log throughput. Prints figures; the
// limits are wide, since other work may run beside.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using What = JournalLine::What;
using Clock = std::chrono::steady_clock;

double millis(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

long pssKib(int pid) {
  const std::string text = readWhole("/proc/" + std::to_string(pid) + "/smaps_rollup");
  const std::size_t at = text.find("\nPss:");
  return at == std::string::npos ? -1 : std::stol(text.substr(at + 5));
}

/// The process that holds the run directory as its own.
int shimPid(const std::string& run_dir) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code ignored;
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos &&
        std::filesystem::read_symlink(entry.path() / "cwd", ignored) == run_dir) {
      return std::stoi(name);
    }
  }
  return 0;
}

class ShimCostTest : public ShimTest {};

TEST_F(ShimCostTest, StartExecAndEnd) {
  std::vector<double> launches, starts, execs;
  makeBundle({"sleep", "100"});
  for (int round = 0; round < 20; ++round) {
    auto begin = Clock::now();
    launch();
    launches.push_back(millis(begin));
    begin = Clock::now();
    go();
    starts.push_back(millis(begin));
    for (int i = 0; i < 2; ++i) {
      begin = Clock::now();
      EXPECT_EQ(exec({"true"}).second, 0);
      execs.push_back(millis(begin));
    }
    ASSERT_TRUE(client().signal(9).has_value());
    waitGone();
  }
  std::printf("launch %.2f ms, start %.2f ms, exec %.2f ms (medians)\n", median(launches),
              median(starts), median(execs));
  EXPECT_LT(median(launches), 50);
}

TEST_F(ShimCostTest, Memory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer's own memory is many times the shim's";
#endif
  makeBundle({"sh", "-c", "echo hello; sleep 100"});
  launch();
  go();
  ASSERT_TRUE(eventually([this] { return log().find("hello") != std::string::npos; }));
  EXPECT_EQ(exec({"true"}).second, 0);
  const int pid = shimPid(run_dir_);
  // It gives back what starting took once it has nothing to do.
  EXPECT_TRUE(eventually([pid] { return pssKib(pid) < 1024; }));
  const long pss = pssKib(pid);
  std::printf("PSS of the only shim: %ld KiB\n", pss);
  EXPECT_GT(pss, 0);
}

TEST_F(ShimCostTest, LogThroughput) {
  spec_.log.max_size = 0;
  const std::string line(99, 'x');
  makeBundle({"sh", "-c", "yes " + line + " | head -c 300000000"});
  launch();
  const auto begin = Clock::now();
  go();
  EXPECT_EQ(waitFor(What::Exit, std::chrono::seconds(60)).exit_code, 0);
  const double seconds = millis(begin) / 1000;
  std::printf("container output into its json-file log: %.0f MB/s\n", 300 / seconds);
  EXPECT_GT(300 / seconds, 10);
  // 3 million lines of 100 bytes; the fraction of a second has at most 9 digits.
  EXPECT_NEAR(static_cast<double>(std::filesystem::file_size(log_path_)), 3e6 * 172, 3e6 * 3);
  waitGone();
}

}  // namespace
}  // namespace flotilla::engine
