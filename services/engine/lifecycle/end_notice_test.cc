#include "engine/lifecycle/end_notice.h"

#include <gtest/gtest.h>

#include <atomic>

namespace flotilla::engine {
namespace {

class EndNoticeTest : public ::testing::Test {
 protected:
  std::shared_ptr<EndNotice> await() {
    return EndNotice::await(
        *notices_, "id", [this] { return over_.load(); }, [this] { ++ends_; });
  }
  /// What happened has been told: the pool has ended.
  void finish() { pool_.reset(); }

  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  std::unique_ptr<ThreadPool> pool_ =
      std::make_unique<ThreadPool>(ThreadPool::Options{"notices", 1});
  std::unique_ptr<Notices> notices_ = std::make_unique<Notices>(*reactor_, *pool_);
  std::atomic<bool> over_ = false;
  std::atomic<int> ends_ = 0;
};

TEST_F(EndNoticeTest, NothingIsAwaitedWhenItIsGone) {
  auto notice = await();
  EXPECT_EQ(notices_->awaited(), std::vector<std::string>{"id"});
  notice.reset();
  EXPECT_TRUE(notices_->awaited().empty());
}

TEST_F(EndNoticeTest, MayGoAfterTheNotices) {
  const auto notice = await();
  finish();
  notices_.reset();
}

TEST_F(EndNoticeTest, TellsTheEndOnce) {
  const auto notice = await();
  over_ = true;
  notices_->happened("id");
  notices_->happened("id");
  finish();
  EXPECT_EQ(ends_, 1);
}

TEST_F(EndNoticeTest, AwaitsTheNextWhenThisWasNotTheEnd) {
  auto notice = await();
  notices_->happened("id");
  finish();
  EXPECT_EQ(ends_, 0);
  EXPECT_EQ(notices_->awaited(), std::vector<std::string>{"id"});
  notice.reset();
  EXPECT_TRUE(notices_->awaited().empty());
}

}  // namespace
}  // namespace flotilla::engine
