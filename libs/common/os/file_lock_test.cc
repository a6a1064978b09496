#include "common/os/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <future>

#include "common/os/unique_fd.h"

namespace flotilla {
namespace {

using Clock = std::chrono::steady_clock;

class FileLockTest : public testing::Test {
 protected:
  FileLockTest() {
    path_ = testing::TempDir() + "flotilla-lock-XXXXXX";
    UniqueFd(::mkstemp(path_.data())).reset();
  }
  ~FileLockTest() override { ::unlink(path_.c_str()); }
  FileLockTest(const FileLockTest&) = delete;
  FileLockTest& operator=(const FileLockTest&) = delete;

  [[nodiscard]] UniqueFd open() const {
    return UniqueFd(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  }

  std::string path_;
};

TEST_F(FileLockTest, IsRefusedAtTheDeadline) {
  const UniqueFd mine = open();
  const UniqueFd theirs = open();
  ASSERT_TRUE(lockFile(theirs.get(), LOCK_EX, Clock::now()).has_value());
  const auto refused = lockFile(mine.get(), LOCK_SH, Clock::now());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind(), ErrorKind::Unavailable);
  EXPECT_EQ(refused.error().sysErrno(), EWOULDBLOCK);
}

TEST_F(FileLockTest, IsSharedByReaders) {
  const UniqueFd mine = open();
  const UniqueFd theirs = open();
  EXPECT_TRUE(lockFile(theirs.get(), LOCK_SH, Clock::now()).has_value());
  EXPECT_TRUE(lockFile(mine.get(), LOCK_SH, Clock::now()).has_value());
}

TEST_F(FileLockTest, IsTakenOnceItIsFree) {
  const UniqueFd mine = open();
  UniqueFd theirs = open();
  ASSERT_TRUE(lockFile(theirs.get(), LOCK_EX, Clock::now()).has_value());
  auto taken = std::async(std::launch::async, [&mine] {
    return lockFile(mine.get(), LOCK_EX, Clock::now() + std::chrono::seconds(30)).has_value();
  });
  theirs.reset();
  EXPECT_TRUE(taken.get());
}

TEST_F(FileLockTest, SaysWhatIsNoFile) {
  EXPECT_EQ(lockFile(-1, LOCK_EX, Clock::now()).error().kind(), ErrorKind::Internal);
}

TEST_F(FileLockTest, KnowsAFileThatWasReplaced) {
  const UniqueFd old = open();
  EXPECT_TRUE(isStill(old.get(), path_));
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  EXPECT_FALSE(isStill(old.get(), path_));
  const UniqueFd next(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_FALSE(isStill(old.get(), path_));
  EXPECT_TRUE(isStill(next.get(), path_));
}

}  // namespace
}  // namespace flotilla
