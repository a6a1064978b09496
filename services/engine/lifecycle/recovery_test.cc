#include "engine/lifecycle/recovery.h"

#include "engine/lifecycle/testing/lifecycle_fixture.h"

namespace flotilla::engine {
namespace {

using testing_support::LifecycleTest;
using Actions = std::vector<std::string>;

TEST_F(LifecycleTest, ARunningContainerIsAdopted) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  restartEngine();
  EXPECT_EQ(state(id).status, ContainerStatus::Running);
  EXPECT_TRUE(networks_.attached(id));
  runtime_.exit(id, 4);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  EXPECT_EQ(state(id).exit_code, 4);
}

TEST_F(LifecycleTest, AnExitWithoutAnEngineIsReportedOnce) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.dropWatches();
  runtime_.exit(id, 5);
  restartEngine();
  restartEngine();
  EXPECT_EQ(state(id).exit_code, 5);
  EXPECT_EQ(actions(), (Actions{"create", "connect", "start", "disconnect", "die"}));
  EXPECT_FALSE(networks_.attached(id));
}

TEST_F(LifecycleTest, AWaitIsAnsweredFromItsRowAfterARestart) {
  const std::string id = create("web");
  for (const auto condition : {WaitCondition::NextExit, WaitCondition::NotRunning}) {
    const std::string job = "job-" + std::string(conditionName(condition));
    ASSERT_TRUE(lifecycle_->starter.start(id));
    wait(job, id, condition);
    runtime_.dropWatches();
    runtime_.exit(id, 6);
    restartEngine();
    // Started again meanwhile: the answer is that of the run the client waited for.
    ASSERT_TRUE(lifecycle_->starter.start(id));
    EXPECT_EQ(wait(job, id, condition)->get(), 6);
    runtime_.exit(id, 9);
    ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  }
}

TEST_F(LifecycleTest, AStartThatMeetsALeavingShimGetsAnother) {
  const std::string id = create("web");
  runtime_.leaveAtNextCall();
  ASSERT_TRUE(lifecycle_->starter.start(id));
  EXPECT_EQ(state(id).status, ContainerStatus::Running);
  EXPECT_EQ(runtime_.launches(id), 2);
}

TEST_F(LifecycleTest, AnAttachThatMeetsALeavingShimGetsAnother) {
  const std::string id = create("web");
  runtime_.leaveAtNextCall();
  EXPECT_TRUE(lifecycle_->attacher.attach(catalog_->find(id).value(), {}).value());
  EXPECT_EQ(runtime_.launches(id), 2);
  ASSERT_TRUE(lifecycle_->starter.start(id));
  EXPECT_EQ(runtime_.launches(id), 2);
}

TEST_F(LifecycleTest, AShimThatDiesAtTheStartIsNotReplaced) {
  const std::string id = create("web");
  runtime_.failNextGo(Error{ErrorKind::Unavailable, "no shim"}, 128);
  EXPECT_FALSE(lifecycle_->starter.start(id));
  EXPECT_EQ(runtime_.launches(id), 1);
}

TEST_F(LifecycleTest, AShimThatStaysForItsReadersIsBuriedAfterThem) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.exitWithReaders(id, 3);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  EXPECT_TRUE(networks_.attached(id));
  runtime_.lose(id);
  EXPECT_TRUE(eventually([&] { return !networks_.attached(id); }));
  EXPECT_EQ(state(id).exit_code, 3);
}

TEST_F(LifecycleTest, StartsThatWaitForSlowReadersHoldNobodyUp) {
  std::vector<std::string> slow;
  for (int i = 0; i < kStarts; ++i) {
    slow.push_back(create("slow" + std::to_string(i)));
    ASSERT_TRUE(lifecycle_->starter.start(slow.back()));
    runtime_.exitWithReaders(slow.back(), 0);
    ASSERT_TRUE(eventually([&] { return state(slow.back()).status == ContainerStatus::Exited; }));
  }
  std::vector<std::thread> starts;
  for (const std::string& id : slow) {
    starts.emplace_back([this, id] { EXPECT_TRUE(lifecycle_->starter.start(id)); });
  }
  ASSERT_TRUE(eventually([&] { return runtime_.reserving() == kStarts; }));
  const auto turn = std::chrono::steady_clock::now();
  ASSERT_TRUE(lifecycle_->starter.start(create("quick")));
  // A gate whose places are all taken lets go after five seconds.
  EXPECT_LT(std::chrono::steady_clock::now() - turn, std::chrono::seconds(4));
  for (const std::string& id : slow) {
    runtime_.lose(id);
  }
  for (std::thread& start : starts) {
    start.join();
  }
}

TEST_F(LifecycleTest, AShimWithoutItsContainersRowIsEnded) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  forget(id);
  restartEngine();
  EXPECT_FALSE(runtime_.alive(id));
  EXPECT_TRUE(eventually([&] { return !networks_.attached(id); }));
}

TEST_F(LifecycleTest, AWaitForTheRemovalOfWhatIsGoneGetsTheExitCode) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.exit(id, 7);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  ASSERT_TRUE(lifecycle_->remover.remove(id, RemoveVolumes::Keep));
  Waiters& waiters = lifecycle_->waiters;
  EXPECT_EQ(waiters.answerOfRemoved("job", id, WaitCondition::Removed).value().value().exit_code,
            7);
  EXPECT_FALSE(waiters.answerOfRemoved("job", id, WaitCondition::NotRunning).value());
  EXPECT_FALSE(waiters.answerOfRemoved("job", "web", WaitCondition::Removed).value());
}

TEST_F(LifecycleTest, AnAnsweredWaitIsAnsweredAgainWhenTheContainerIsGone) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  wait("job", id, WaitCondition::NextExit);
  runtime_.exit(id, 7);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  ASSERT_TRUE(lifecycle_->remover.remove(id, RemoveVolumes::Keep));
  const auto again = lifecycle_->waiters.answerOfRemoved("job", id, WaitCondition::NextExit);
  EXPECT_EQ(again.value().value().exit_code, 7);
}

TEST_F(LifecycleTest, AWaitBeforeTheStartSurvivesTheEngine) {
  const std::string id = create("web");
  wait("job", id, WaitCondition::NextExit);
  restartEngine();
  const auto answer = wait("job", id, WaitCondition::NextExit);
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.exit(id, 8);
  ASSERT_TRUE(eventually([&] { return answer->get().has_value(); }));
  EXPECT_EQ(answer->get(), 8);
}

TEST_F(LifecycleTest, AutoRemovalIsMadeUpFor) {
  const std::string id = create("once", [](auto& request) { request.host.auto_remove = true; });
  wait("job", id, WaitCondition::Removed);
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.dropWatches();
  runtime_.exit(id, 2);
  restartEngine();
  EXPECT_EQ(catalog_->find(id).value(), nullptr);
  EXPECT_EQ(wait("job", id, WaitCondition::Removed)->get(), 2);
  EXPECT_EQ(actions().back(), "destroy");
}

TEST_F(LifecycleTest, ALostShimIsAnExitOf137) {
  const std::string id = create("web");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.lose(id);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  EXPECT_EQ(state(id).exit_code, 137);
}

TEST_F(LifecycleTest, ALostShimIsMadeUpForByPolicy) {
  const std::string id =
      create("kept", [](auto& request) { request.host.restart_policy = "always"; });
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.lose(id);
  ASSERT_TRUE(eventually([&] { return runtime_.launches(id) == 2; }));
  EXPECT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Running; }));
}

TEST_F(LifecycleTest, AnotherBootMeans255AndPoliciesApply) {
  const std::string kept =
      create("kept", [](auto& request) { request.host.restart_policy = "unless-stopped"; });
  const std::string plain = create("plain");
  ASSERT_TRUE(lifecycle_->starter.start(kept));
  ASSERT_TRUE(lifecycle_->starter.start(plain));
  runtime_.dropWatches();
  runtime_.lose(kept);
  runtime_.lose(plain);
  boot_id_ = "boot-2";
  restartEngine();
  EXPECT_EQ(state(plain).exit_code, 255);
  EXPECT_EQ(state(plain).status, ContainerStatus::Exited);
  EXPECT_TRUE(eventually([&] { return state(kept).status == ContainerStatus::Running; }));
}

TEST_F(LifecycleTest, AnEarlierBootIsMadeUpForOnce) {
  const std::string id =
      create("kept", [](auto& request) { request.host.restart_policy = "unless-stopped"; });
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.dropWatches();
  runtime_.lose(id);
  boot_id_ = "boot-2";
  runtime_.failNextGo(Error{ErrorKind::InvalidArgument, "no such program"}, 127);
  restartEngine();
  finishWork();
  EXPECT_EQ(runtime_.launches(id), 2);
  EXPECT_EQ(state(id).exit_code, 127);
  lifecycle_->recovery.takeOver();
  finishWork();
  EXPECT_EQ(runtime_.launches(id), 2);
}

TEST_F(LifecycleTest, WhatAnEarlierBootEndedIsStartedByAWorkerThatTakesOver) {
  const std::string id =
      create("kept", [](auto& request) { request.host.restart_policy = "always"; });
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.exit(id, 0);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
  boot_id_ = "boot-2";
  halt();
  boot();
  lifecycle_->recovery.takeOver();
  finishWork();
  EXPECT_EQ(state(id).status, ContainerStatus::Running);
}

TEST_F(LifecycleTest, TakingOverStartsWhatIsLostButNotWhatExited) {
  const auto always = [](auto& request) { request.host.restart_policy = "always"; };
  const std::string lost = create("lost", always);
  const std::string exited = create("exited", always);
  ASSERT_TRUE(lifecycle_->starter.start(lost));
  ASSERT_TRUE(lifecycle_->starter.start(exited));
  runtime_.dropWatches();
  runtime_.lose(lost);
  runtime_.exit(exited, 0);  // its shim decided: no restart
  lifecycle_->recovery.takeOver();
  finishWork();
  EXPECT_EQ(state(lost).status, ContainerStatus::Running);
  EXPECT_EQ(runtime_.launches(lost), 2);
  EXPECT_EQ(state(exited).status, ContainerStatus::Exited);
  EXPECT_EQ(runtime_.launches(exited), 1);
}

TEST_F(LifecycleTest, OneBadContainerDoesNotKeepTheOthersFromBeingAdopted) {
  const std::string bad = create("bad");
  const std::string good = create("good");
  ASSERT_TRUE(lifecycle_->starter.start(bad));
  ASSERT_TRUE(lifecycle_->starter.start(good));
  runtime_.dropWatches();
  runtime_.spoilJournal(bad);
  runtime_.exit(good, 3);
  restartEngine();
  EXPECT_EQ(state(good).exit_code, 3);
  EXPECT_EQ(state(bad).status, ContainerStatus::Running);
}

TEST(WantsRestart, AsThePolicySaysAndNotMoreOftenThanItAllows) {
  const auto wants = [](const std::string& policy, int retries, const ContainerState& state,
                        LostWith with) {
    auto spec = std::make_shared<ContainerSpec>();
    spec->host.restart_policy = policy;
    spec->host.restart_max_retries = retries;
    ContainerRecord record;
    record.spec = std::move(spec);
    record.state = state;
    return wantsRestart(record, with);
  };
  ContainerState lost;
  lost.exit_code = 137;
  lost.restart_count = 2;
  ContainerState stopped = lost;
  stopped.manually_stopped = true;
  for (const LostWith with : {LostWith::Boot, LostWith::Shim}) {
    EXPECT_TRUE(wants("always", 0, lost, with));
    EXPECT_TRUE(wants("unless-stopped", 0, lost, with));
    EXPECT_FALSE(wants("unless-stopped", 0, stopped, with));
    EXPECT_TRUE(wants("on-failure", 0, lost, with));
    EXPECT_TRUE(wants("on-failure", 3, lost, with));
    EXPECT_FALSE(wants("on-failure", 2, lost, with));
    EXPECT_FALSE(wants("on-failure", 0, stopped, with));
    EXPECT_FALSE(wants("on-failure", 0, ContainerState{}, with));
    EXPECT_FALSE(wants("no", 0, lost, with));
    EXPECT_FALSE(wants("", 0, lost, with));
  }
  EXPECT_TRUE(wants("always", 0, stopped, LostWith::Boot));
  EXPECT_FALSE(wants("always", 0, stopped, LostWith::Shim));
}

TEST_F(LifecycleTest, HalfMadeFoldersAreRemoved) {
  const std::string orphan(64, 'e');
  std::filesystem::create_directories(paths_->container(orphan) + "/upper");
  restartEngine();
  EXPECT_FALSE(std::filesystem::exists(paths_->container(orphan)));
}

}  // namespace
}  // namespace flotilla::engine
