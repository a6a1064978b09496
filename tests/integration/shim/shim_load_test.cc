// A shim that is used hard: again and again on one folder, with much to log, and what it keeps.
#include <cstdio>
#include <filesystem>

#include "tests/integration/shim/shim_fixture.h"

namespace flotilla::engine {
namespace {

using What = JournalLine::What;
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

class ShimLoadTest : public ShimTest {};

TEST_F(ShimLoadTest, RunsAgainAndAgain) {
  makeBundle({"sleep", "100"});
  for (int round = 0; round < 20; ++round) {
    launch();
    go();
    EXPECT_EQ(exec({"true"}).second, 0);
    EXPECT_EQ(exec({"false"}).second, 1);
    ASSERT_TRUE(client().signal(9).has_value());
    waitGone();
  }
}

TEST_F(ShimLoadTest, Memory) {
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

TEST_F(ShimLoadTest, LogsAFloodWhole) {
  spec_.log.max_size = 0;
  const std::string line(99, 'x');
  makeBundle({"sh", "-c", "yes " + line + " | head -c 100000000"});
  launch();
  go();
  EXPECT_EQ(waitFor(What::Exit, std::chrono::seconds(60)).exit_code, 0);
  // A million lines of 100 bytes; the fraction of a second has at most 9 digits.
  EXPECT_NEAR(static_cast<double>(std::filesystem::file_size(log_path_)), 1e6 * 172, 1e6 * 3);
  waitGone();
}

}  // namespace
}  // namespace flotilla::engine
