#include "common/queue/worker_presence.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <future>

namespace flotilla {
namespace {

class WorkerPresenceTest : public ::testing::Test {
 protected:
  WorkerPresenceTest() {
    std::string name = (std::filesystem::temp_directory_path() / "flo-presence-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~WorkerPresenceTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<WorkerPresence> worker(const std::string& name) {
    return WorkerPresence::create(folder_, name).value();
  }

  std::string folder_;
};

TEST_F(WorkerPresenceTest, TheLivingAreNotTakenOver) {
  const auto a = worker("a");
  const auto b = worker("b");
  EXPECT_EQ(a->others(), std::vector<std::string>{"b"});
  EXPECT_TRUE(WorkerPresence::anyLives(folder_));
  EXPECT_FALSE(a->takeOver("b"));
  EXPECT_FALSE(a->takeOver("a"));
  EXPECT_EQ(WorkerPresence::create(folder_, "b").error().kind(), ErrorKind::Conflict);
}

TEST_F(WorkerPresenceTest, ALookFromAnotherWorkerIsNoConflict) {
  const std::string path = folder_ + "/b.lock";
  UniqueFd look(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(look.get(), LOCK_EX | LOCK_NB), 0);
  auto begun = std::async(std::launch::async, [this] { return worker("b"); });
  ::unlink(path.c_str());  // it was buried even
  look.reset();
  const auto b = begun.get();
  EXPECT_TRUE(WorkerPresence::lives(folder_, "b"));
}

TEST_F(WorkerPresenceTest, TheDeadAreTakenOverByOneAndBuried) {
  const auto a = worker("a");
  const auto c = worker("c");
  worker("b").reset();
  auto lock = a->takeOver("b");
  ASSERT_TRUE(lock);
  EXPECT_FALSE(c->takeOver("b"));
  a->bury("b", *std::move(lock));
  EXPECT_EQ(a->others(), std::vector<std::string>{"c"});
}

TEST_F(WorkerPresenceTest, AWorkerWithoutAFileIsDead) {
  const auto a = worker("a");
  EXPECT_TRUE(a->takeOver("before-the-reboot"));
}

TEST_F(WorkerPresenceTest, NobodyLivesWhereAllAreDead) {
  worker("a").reset();
  EXPECT_FALSE(WorkerPresence::anyLives(folder_));
  EXPECT_FALSE(WorkerPresence::anyLives(folder_ + "/none"));
}

TEST_F(WorkerPresenceTest, NamesAreNotPaths) {
  const auto a = worker("a");
  EXPECT_FALSE(a->takeOver("../x"));
  EXPECT_FALSE(a->takeOver(""));
  EXPECT_FALSE(WorkerPresence::create(folder_, "x/y"));
}

}  // namespace
}  // namespace flotilla
