#include "common/os/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "common/os/random.h"

namespace flotilla {
namespace {

class AtomicFile : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(dir_); }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  [[nodiscard]] std::size_t filesInDir() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(dir_), {}));
  }
  std::string dir_ = testing::TempDir() + "flotilla-atomic-" + randomHex(6);
  std::string path_ = dir_ + "/file";
};

TEST_F(AtomicFile, ReplacesContentAndLeavesNoTemporary) {
  ASSERT_TRUE(writeFileAtomically(path_, "one"));
  ASSERT_TRUE(writeFileAtomically(path_, "second", 0600, Durability::Cached));
  EXPECT_EQ(readFile(path_).value(), "second");
  EXPECT_EQ(filesInDir(), 1U);
}

TEST_F(AtomicFile, SetsTheModeWhateverTheUmask) {
  ASSERT_TRUE(writeFileAtomically(path_, "x", 0666));
  struct stat st {};
  ASSERT_EQ(::stat(path_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777U, 0666U);
}

TEST_F(AtomicFile, FailureLeavesTheOldFileAndNoTemporary) {
  ASSERT_TRUE(std::filesystem::create_directory(path_));  // a folder in the way: rename fails
  ASSERT_TRUE(std::filesystem::create_directory(path_ + "/child"));
  EXPECT_FALSE(writeFileAtomically(path_, "x"));
  EXPECT_EQ(filesInDir(), 1U);
}

TEST_F(AtomicFile, ReadTellsErrnoAndRefusesOverLimit) {
  EXPECT_EQ(readFile(path_).error().sysErrno(), ENOENT);
  ASSERT_TRUE(writeFileAtomically(path_, std::string(100, 'x')));
  EXPECT_TRUE(readFile(path_, 100));
  EXPECT_FALSE(readFile(path_, 99));
}

}  // namespace
}  // namespace flotilla
