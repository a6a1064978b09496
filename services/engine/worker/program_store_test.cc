#include "engine/worker/program_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "common/os/process.h"
#include "common/os/random.h"

namespace flotilla::engine {
namespace {

namespace fs = std::filesystem;

class ProgramStoreTest : public testing::Test {
 protected:
  ProgramStoreTest() {
    fs::create_directories(source_ / "lib");
    fs::copy_file("/bin/sleep", source_ / "sleep");
    std::ofstream(source_ / "lib" / "a.so") << "library";
  }
  ~ProgramStoreTest() override { fs::remove_all(top_); }

  ProgramStore::Version placed(const std::string& digest) {
    auto version = store_.place(source_, digest);
    EXPECT_TRUE(version) << version.error().message();
    return version ? std::move(*version) : ProgramStore::Version{};
  }
  [[nodiscard]] bool isThere(const std::string& name) const {
    return fs::exists(top_ / "bin" / name);
  }

  const fs::path top_ = fs::temp_directory_path() / ("program-store-" + randomHex(8));
  const fs::path source_ = top_ / "source";
  const ProgramStore store_{top_ / "bin"};
};

TEST_F(ProgramStoreTest, CopiesWhatIsExecutableOnce) {
  const auto first = placed("one");
  EXPECT_EQ(first.folder, top_ / "bin" / "one");
  EXPECT_TRUE(fs::exists(fs::path(first.folder) / "lib" / "a.so"));
  EXPECT_NE(fs::status(fs::path(first.folder) / "sleep").permissions() & fs::perms::owner_exec,
            fs::perms::none);
  fs::remove_all(source_);  // the second time it is not read
  EXPECT_EQ(placed("one").folder, first.folder);
}

TEST_F(ProgramStoreTest, ManyAtOnceGetTheSameWholeCopy) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back(
        [this] { EXPECT_TRUE(fs::exists(fs::path(placed("one").folder) / "sleep")); });
  }
  for (auto& thread : threads) {
    thread.join();
  }
  std::size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(top_ / "bin")) {
    ++entries;
  }
  EXPECT_EQ(entries, 1U);
}

TEST_F(ProgramStoreTest, RemovesWhatNobodyUses) {
  { const auto old = placed("old"); }
  const auto mine = placed("mine");
  fs::create_directory(top_ / "bin" / ".new-of-a-crash");
  store_.removeUnused();
  EXPECT_FALSE(isThere("old"));
  EXPECT_FALSE(isThere(".new-of-a-crash"));
  EXPECT_TRUE(isThere("mine"));
}

TEST_F(ProgramStoreTest, KeepsProgramsThatRun) {
  std::string program;
  {
    const auto version = placed("old");
    program = version.folder + "/sleep";
  }
  auto process = Process::spawn({.argv = {program, "60"}});
  ASSERT_TRUE(process) << process.error().message();
  store_.removeUnused();
  EXPECT_TRUE(isThere("old"));
  ASSERT_TRUE(process->signal(9));
  ASSERT_TRUE(process->wait(std::chrono::seconds(10)));
  store_.removeUnused();
  EXPECT_FALSE(isThere("old"));
}

TEST_F(ProgramStoreTest, SaysWhatCannotBeCopied) {
  const auto version = store_.place(top_ / "nothing", "one");
  ASSERT_FALSE(version);
  EXPECT_NE(version.error().message().find("nothing"), std::string::npos);
  EXPECT_FALSE(isThere("one"));
}

}  // namespace
}  // namespace flotilla::engine
