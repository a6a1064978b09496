#include "engine/lifecycle/updater.h"

#include "engine/lifecycle/testing/lifecycle_fixture.h"

namespace flotilla::engine {
namespace {

using testing_support::LifecycleTest;

class UpdaterTest : public LifecycleTest {
 protected:
  const model::HostConfig& host(const std::string& id) {
    record_ = catalog_->find(id).value();
    return record_->spec->host;
  }
  static model::HostConfig pids(std::int64_t limit) {
    model::HostConfig asked;
    asked.pids_limit = limit;
    return asked;
  }

  ContainerRecordPtr record_;
};

TEST_F(UpdaterTest, KeepsTheLimitsOfAContainerThatDoesNotRun) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->updater.update(id, pids(30)));
  EXPECT_EQ(host(id).pids_limit, 30);
  EXPECT_EQ(actions(), (std::vector<std::string>{"create", "update"}));
}

TEST_F(UpdaterTest, ChangesARunningContainer) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  ASSERT_TRUE(lifecycle_->updater.update(id, pids(30)));
  const auto calls = runtime_.calls();
  EXPECT_NE(std::find(calls.begin(), calls.end(), R"(limits {"pids":{"limit":30}})"), calls.end());
  EXPECT_EQ(host(id).pids_limit, 30);
}

TEST_F(UpdaterTest, ChangesNothingWhenTheRuntimeRefuses) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.failNextLimits({ErrorKind::Internal, "crun did not terminate successfully"});
  const auto updated = lifecycle_->updater.update(id, pids(30));
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().message(),
            "Cannot update container " + id + ": crun did not terminate successfully");
  EXPECT_FALSE(host(id).pids_limit);
  EXPECT_TRUE(lifecycle_->updater.update(id, pids(30)));
}

TEST_F(UpdaterTest, SaysWhichContainerAConflictIsAbout) {
  const std::string id = create("web");
  model::HostConfig asked;
  asked.memory = 64 << 20;
  const auto updated = lifecycle_->updater.update(id, asked);
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().kind(), ErrorKind::Conflict);
  EXPECT_TRUE(
      updated.error().message().starts_with("Cannot update container " + id + ": Memory limit"));
}

TEST_F(UpdaterTest, KnowsNoContainerThatIsGone) {
  const auto updated = lifecycle_->updater.update("0123", pids(1));
  ASSERT_FALSE(updated);
  EXPECT_EQ(updated.error().kind(), ErrorKind::NotFound);
}

}  // namespace
}  // namespace flotilla::engine
