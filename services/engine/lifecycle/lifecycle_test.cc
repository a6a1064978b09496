#include "engine/lifecycle/lifecycle.h"

#include <unistd.h>

#include "engine/lifecycle/process_signal.h"
#include "engine/lifecycle/testing/lifecycle_fixture.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

using testing_support::LifecycleTest;
using Actions = std::vector<std::string>;

TEST_F(LifecycleTest, ARunGoesThroughItsStatesInOrder) {
  const std::string id = create("web");
  EXPECT_EQ(state(id).status, ContainerStatus::Created);
  const auto answer = wait("j1", id, WaitCondition::NextExit);
  ASSERT_TRUE(lifecycle_->starter.start(id));
  EXPECT_EQ(state(id).status, ContainerStatus::Running);
  EXPECT_TRUE(networks_.attached(id));
  EXPECT_FALSE(answer->get());

  runtime_.exit(id, 3);
  ASSERT_TRUE(eventually([&] { return answer->get().has_value(); }));
  EXPECT_EQ(answer->get(), 3);
  EXPECT_EQ(state(id).status, ContainerStatus::Exited);
  EXPECT_EQ(state(id).exit_code, 3);
  EXPECT_EQ(actions(), (Actions{"create", "connect", "start", "disconnect", "die"}));
  EXPECT_TRUE(eventually([&] { return !networks_.attached(id); }));
}

TEST_F(LifecycleTest, NoDieBeforeStartHoweverShortTheRun) {
  const std::string id = create("short");
  // Exits before anybody looks at the journal.
  ASSERT_TRUE(lifecycle_->launcher.prepare(*catalog_->find(id).value()));
  runtime_.dropWatches();
  ASSERT_TRUE(runtime_.go(id, 1));
  runtime_.exit(id, 0);
  ASSERT_TRUE(lifecycle_->consumer.consume(id));
  EXPECT_EQ(actions(), (Actions{"create", "connect", "start", "disconnect", "die"}));
}

TEST_F(LifecycleTest, AStartThatADeadWorkerMadeIsNotMadeAgain) {
  const std::string id = create("once");
  ASSERT_TRUE(lifecycle_->launcher.prepare(*catalog_->find(id).value()));
  runtime_.dropWatches();  // as its worker's, which sent *go* and died
  ASSERT_TRUE(runtime_.go(id, 1));
  runtime_.exit(id, 4);
  ASSERT_TRUE(lifecycle_->starter.start(id, {.first_found = 0}));
  EXPECT_EQ(runtime_.launches(id), 1);
  EXPECT_EQ(state(id).run, 1U);
  EXPECT_EQ(state(id).exit_code, 4);
  bool restarted = false;
  lifecycle_->restart(id, {}, 0,
                      [&restarted](const Result<void>& done) { restarted = done.has_value(); });
  EXPECT_TRUE(restarted);
  EXPECT_EQ(runtime_.launches(id), 1);
  ASSERT_TRUE(lifecycle_->starter.start(id, {.first_found = 1})) << "but this one is another";
  EXPECT_EQ(runtime_.launches(id), 2);
}

TEST_F(LifecycleTest, WhatAShimWritesBeforeItLeavesKeepsItsNumber) {
  const auto runOnce = [this](const std::string& name) {
    const std::string id = create(name);
    EXPECT_TRUE(lifecycle_->starter.start(id));
    runtime_.exit(id, 0);
    EXPECT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Exited; }));
    JournalLine end;
    end.what = JournalLine::What::End;
    runtime_.writeLate(id, end);
    return id;
  };
  const std::string started = runOnce("started");
  ASSERT_TRUE(lifecycle_->starter.start(started));
  EXPECT_EQ(runtime_.firstSeq(started), 4U);  // after start, exit and end

  const std::string attached = runOnce("attached");
  ASSERT_TRUE(lifecycle_->attacher.attach(catalog_->find(attached).value(), {}));
  EXPECT_EQ(runtime_.firstSeq(attached), 4U);
}

TEST_F(LifecycleTest, AutoRemoveAnswersRemovedAfterDestroy) {
  const std::string id = create("once", [](auto& request) { request.host.auto_remove = true; });
  const auto removed = wait("j1", id, WaitCondition::Removed);
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.exit(id, 7);
  ASSERT_TRUE(eventually([&] { return removed->get().has_value(); }));
  EXPECT_EQ(removed->get(), 7);
  EXPECT_EQ(catalog_->find(id).value(), nullptr);
  EXPECT_EQ(actions(), (Actions{"create", "connect", "start", "disconnect", "die", "destroy"}));
  EXPECT_TRUE(eventually([&] { return !std::filesystem::exists(paths_->container(id)); }));
}

TEST_F(LifecycleTest, AFailedStartIsRecordedAndUndone) {
  const std::string id = create("bad");
  runtime_.failNextGo({ErrorKind::InvalidArgument, "executable file not found in $PATH"}, 127);
  const auto started = lifecycle_->starter.start(id);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind(), ErrorKind::InvalidArgument);
  EXPECT_EQ(state(id).status, ContainerStatus::Created);
  EXPECT_EQ(state(id).exit_code, 127);
  EXPECT_EQ(state(id).error, "executable file not found in $PATH");
  EXPECT_FALSE(networks_.attached(id));
  ASSERT_TRUE(lifecycle_->starter.start(id)) << "and it can be tried again";
}

TEST_F(LifecycleTest, ATakenPortFailsTheStartWithCode128) {
  const std::string id = create("ports");
  networks_.failNext({ErrorKind::Internal, "port is already allocated"});
  EXPECT_FALSE(lifecycle_->starter.start(id));
  EXPECT_EQ(state(id).exit_code, 128);
  EXPECT_EQ(runtime_.launches(id), 0);
}

TEST_F(LifecycleTest, AStartThatAnAttachedClientWouldNotSeeFails) {
  const std::string id = create("unseen");
  networks_.failNext({ErrorKind::Internal, "no space left on device"});
  const auto attached = lifecycle_->attacher.attach(catalog_->find(id).value(), {});
  ASSERT_TRUE(attached);
  EXPECT_FALSE(*attached) << "a stream that is silent until the start says why";
  const auto started = lifecycle_->starter.start(id);
  ASSERT_FALSE(started) << "its output would be nobody's";
  EXPECT_EQ(started.error().message(), "no space left on device");
  EXPECT_FALSE(networks_.attached(id));
  EXPECT_TRUE(lifecycle_->starter.start(id)) << "and it can be tried again";
}

TEST_F(LifecycleTest, StopSendsItsSignalAndThenKills) {
  const std::string id = create("stubborn");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.setMortal(false);
  std::atomic<bool> done{false};
  lifecycle_->stopper.stop(id, {"SIGINT", 0}, [&](const Result<void>& stopped) {
    EXPECT_TRUE(stopped);
    done = true;
  });
  ASSERT_TRUE(eventually([&] { return done.load(); }));
  EXPECT_EQ(state(id).exit_code, 137);
  EXPECT_TRUE(state(id).manually_stopped);
  const auto calls = runtime_.calls();
  EXPECT_EQ(calls.at(0), "signal 2");
  EXPECT_EQ(calls.at(1), "signal 9");
}

TEST_F(LifecycleTest, KillDuringALongStopAnswersAtOnce) {
  const std::string id = create("slow");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  runtime_.setMortal(false);
  std::atomic<int> done{0};
  lifecycle_->stopper.stop(id, {"", 3600}, [&](const Result<void>&) { ++done; });
  EXPECT_EQ(done, 0);
  lifecycle_->stopper.kill(id, "", [&](const Result<void>& killed) {
    EXPECT_TRUE(killed);
    ++done;
  });
  ASSERT_TRUE(eventually([&] { return done == 2; }));
}

TEST_F(LifecycleTest, StoppingWhatDoesNotRunIsNotModified) {
  const std::string id = create("idle");
  lifecycle_->stopper.stop(id, {}, [](const Result<void>& stopped) {
    EXPECT_EQ(stopped.error().kind(), ErrorKind::NotModified);
  });
  lifecycle_->stopper.kill(id, "", [&](const Result<void>& killed) {
    EXPECT_EQ(killed.error().message(), "container " + id + " is not running");
  });
}

TEST_F(LifecycleTest, RemovingARunningContainerNeedsForce) {
  const std::string id = create("busy");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  lifecycle_->remove(id, {false, false, "busy"}, [](const Result<void>& removed) {
    EXPECT_EQ(
        removed.error().message(),
        "cannot remove container \"busy\": container is running: stop the container before removing or"
        " force remove");
  });
  std::atomic<bool> done{false};
  lifecycle_->remove(id, {true, false, "busy"}, [&](const Result<void>& removed) {
    EXPECT_TRUE(removed);
    done = true;
  });
  ASSERT_TRUE(eventually([&] { return done.load(); }));
  EXPECT_EQ(catalog_->find(id).value(), nullptr);
}

TEST_F(LifecycleTest, ARestartOfThePolicyIsAnExitAndAStart) {
  const std::string id =
      create("phoenix", [](auto& request) { request.host.restart_policy = "always"; });
  ASSERT_TRUE(lifecycle_->starter.start(id));
  const auto answer = wait("j1", id, WaitCondition::NextExit);
  runtime_.exit(id, 1, true);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Restarting; }));
  ASSERT_TRUE(eventually([&] { return answer->get().has_value(); }));
  EXPECT_EQ(answer->get(), 1);
  runtime_.restarted(id);
  ASSERT_TRUE(eventually([&] { return state(id).status == ContainerStatus::Running; }));
  EXPECT_EQ(actions(), (Actions{"create", "connect", "start", "die", "start"}));
  EXPECT_TRUE(networks_.attached(id));
}

TEST_F(LifecycleTest, NamesAreUniqueAndChecked) {
  const std::string id = create("web");
  create("db");
  EXPECT_EQ(lifecycle_->rename(id, "db").error().message().substr(0, 53),
            "Error when allocating new name: Conflict. The contain");
  EXPECT_EQ(lifecycle_->rename(id, "a@b").error().message(),
            "Error when allocating new name: Invalid container name (/a@b), only"
            " [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  EXPECT_TRUE(lifecycle_->rename(id, "front"));
  EXPECT_EQ(catalog_->get("front").value()->id, id);
}

TEST_F(LifecycleTest, ATakenNameIsFoundBeforeVolumesAreMade) {
  images_.config.volumes = {"/data"};
  create("pg");
  model::CreateRequest request;
  request.config.image = "busybox";
  request.config.cmd = std::vector<std::string>{"sh"};
  const auto again = lifecycle_->creator.create(request, {"", "", "pg", {}});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::Conflict);
  EXPECT_EQ(volumes_.count(), 1U);
}

TEST_F(LifecycleTest, AContainerThatCannotBeMadeLeavesNoAnonymousVolume) {
  images_.config.volumes = {"/data", "/more"};
  volumes_.setRoom(1);
  model::CreateRequest request;
  request.config.image = "busybox";
  request.config.cmd = std::vector<std::string>{"sh"};
  EXPECT_FALSE(lifecycle_->creator.create(request, {"", "", "pg", {}}));
  EXPECT_EQ(volumes_.count(), 0U);
  EXPECT_TRUE(catalog_->list()->empty());
}

TEST_F(LifecycleTest, ACreateThatComesTwiceIsAnsweredTheSameAndMadeOnce) {
  images_.config.volumes = {"/data"};
  model::CreateRequest request;
  request.config.image = "busybox";
  request.config.cmd = std::vector<std::string>{"sh"};
  const auto first = lifecycle_->creator.create(request, {"job", "", "pg", {}});
  const auto second = lifecycle_->creator.create(request, {"job", "", "pg", {}});
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(catalog_->list()->size(), 1U);
  EXPECT_EQ(volumes_.count(), 1U);
}

TEST_F(LifecycleTest, NoNamespaceOfAProcessThatTookTheNumberIsJoined) {
  const std::string id = create("first");
  ASSERT_TRUE(lifecycle_->starter.start(id));
  const auto pretend = [&](std::uint64_t pid_start) {
    return database_->write(Durability::Relaxed, [&](Transaction& transaction) {
      return changeState(transaction, id, [&](ContainerState& state) -> Result<void> {
        state.pid = ::getpid();
        state.pid_start = pid_start;
        return {};
      });
    });
  };
  const std::string net =
      create("net", [](auto& request) { request.host.network_mode = "container:first"; });
  const std::string ipc =
      create("ipc", [](auto& request) { request.host.ipc_mode = "container:first"; });
  const std::string pid =
      create("pid", [](auto& request) { request.host.pid_mode = "container:first"; });
  ASSERT_TRUE(pretend(processStartTime(::getpid()) + 1));
  for (const std::string& joining : {net, ipc, pid}) {
    const auto started = lifecycle_->starter.start(joining);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().kind(), ErrorKind::Conflict) << started.error().message();
  }
  ASSERT_TRUE(pretend(processStartTime(::getpid())));
  for (const std::string& joining : {net, ipc, pid}) {
    EXPECT_TRUE(lifecycle_->starter.start(joining));
  }
}

TEST_F(LifecycleTest, AnUnknownImageIsSaidInDockersWords) {
  model::CreateRequest request;
  request.config.image = "nosuch";
  request.config.cmd = std::vector<std::string>{"sh"};
  const auto made = lifecycle_->creator.create(request, {"", "", "x1", {}});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message(), "No such image: nosuch:latest");
}

TEST_F(LifecycleTest, ACreateThatIsDeliveredTwiceMakesOneContainer) {
  model::CreateRequest request;
  request.config.image = "busybox";
  request.config.cmd = std::vector<std::string>{"sh"};
  const auto first = lifecycle_->creator.create(request, {"job-1", "", "", {}});
  const auto second = lifecycle_->creator.create(request, {"job-1", "", "", {}});
  EXPECT_EQ(first.value(), second.value());
  EXPECT_EQ(catalog_->list().value().size(), 1U);
}

}  // namespace
}  // namespace flotilla::engine
