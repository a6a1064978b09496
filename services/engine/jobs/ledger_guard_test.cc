#include "engine/jobs/ledger_guard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <mutex>
#include <set>

#include "common/job/testing/recorded_context.h"
#include "common/testing/loop.h"
#include "engine/store/container_store.h"
#include "engine/store/schema.h"

namespace flotilla::engine {
namespace {

using flotilla::testing_support::RecordedContext;

/// The context of a job that a guard let in, on whatever thread.
class Held {
 public:
  std::function<void(const JobContextPtr&)> taker() {
    return [this](const JobContextPtr& context) {
      const std::lock_guard lock(mutex_);
      context_ = context;
    };
  }
  JobContextPtr get() {
    const std::lock_guard lock(mutex_);
    return context_;
  }

 private:
  std::mutex mutex_;
  JobContextPtr context_;
};

/// Two workers over one database, as two processes have it.
class LedgerGuardTest : public ::testing::Test {
 protected:
  struct Worker {
    Worker(LedgerGuardTest& test, const std::string& name)
        : database(Database::open(test.folder_ + "/engine.db", coreMigrations()).value()),
          ledger(*database, [] { return std::int64_t{1}; }),
          catalog(*database),
          guard(std::make_shared<LedgerGuard>(LedgerGuard::Parts{
              *database, ledger, catalog, *test.reactor_, name,
              [&test](const std::string& other) { return test.living_.contains(other); }})) {
      test.living_.insert(name);
    }

    std::unique_ptr<Database> database;
    JobLedger ledger;
    ContainerCatalog catalog;
    std::shared_ptr<LedgerGuard> guard;
  };

  LedgerGuardTest() {
    std::string name = (std::filesystem::temp_directory_path() / "flo-guard-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~LedgerGuardTest() override { std::filesystem::remove_all(folder_); }

  static std::shared_ptr<RecordedContext> job(const std::string& name,
                                              std::vector<std::string> args = {}) {
    return std::make_shared<RecordedContext>(
        Job{.id = "job-1", .name = name, .args = std::move(args)});
  }

  void addContainer(Worker& worker, const std::string& id, const std::string& name,
                    ContainerStatus status) {
    ContainerRecord record;
    record.id = id;
    record.name = name;
    record.state.status = status;
    record.spec = std::make_shared<const ContainerSpec>();
    ASSERT_TRUE(worker.database->write(Durability::Relaxed, [&](Transaction& transaction) {
      return insertContainer(transaction, record);
    }));
  }

  /// The body of a success; the message of a failure, which no test expects to be a body.
  static std::string bodyOf(RecordedContext& context) {
    const auto result = context.waitResult();
    return result ? result->body : "error: " + result.error().message();
  }

  bool until(const std::function<bool()>& holds) { return testing::runUntil(*reactor_, holds); }

  std::string folder_;
  std::set<std::string> living_;
  std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
};

TEST_F(LedgerGuardTest, AJobSeenAgainIsAnsweredFromTheLedger) {
  Worker first(*this, "w1");
  Worker second(*this, "w2");
  int effects = 0;
  const auto effect = [&effects](const JobContextPtr& context) {
    ++effects;
    JobOutput output{.body = "done", .env = {}};
    output.env.set("fact", "kept");
    context->complete(std::move(output));
  };
  const auto once = job("image_tag");
  first.guard->admit(once, effect);
  EXPECT_EQ(bodyOf(*once), "done");
  const auto twice = job("image_tag");
  second.guard->admit(twice, effect);
  const auto again = twice->waitResult();
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->body, "done");
  EXPECT_EQ(again->env.get("fact"), "kept");
  EXPECT_EQ(effects, 1);
}

TEST_F(LedgerGuardTest, AFailureIsRememberedAsWell) {
  Worker worker(*this, "w1");
  const auto once = job("volume_remove");
  worker.guard->admit(once, [](const JobContextPtr& context) {
    context->complete(Error{ErrorKind::Conflict, "volume is in use"});
  });
  EXPECT_EQ(once->waitResult().error().kind(), ErrorKind::Conflict);
  const auto twice = job("volume_remove");
  worker.guard->admit(twice, [](const JobContextPtr& context) { context->complete(JobOutput{}); });
  const auto again = twice->waitResult();
  EXPECT_EQ(again.error().kind(), ErrorKind::Conflict);
  EXPECT_EQ(again.error().message(), "volume is in use");
}

TEST_F(LedgerGuardTest, AJobOfALivingWorkerWaitsForIt) {
  Worker first(*this, "w1");
  Worker second(*this, "w2");
  Held held;
  first.guard->admit(job("container_stop"), held.taker());
  ASSERT_TRUE(until([&held] { return held.get() != nullptr; }));
  int effects = 0;
  const auto duplicate = job("container_stop");
  second.guard->admit(duplicate, [&effects](const JobContextPtr& context) {
    ++effects;
    context->complete(JobOutput{});
  });
  EXPECT_FALSE(testing::runUntil(
      *reactor_, [&] { return duplicate->completed(); }, std::chrono::milliseconds(500)));
  held.get()->complete(JobOutput{.body = "by the first", .env = {}});
  ASSERT_TRUE(until([&] { return duplicate->completed(); }));
  EXPECT_EQ(bodyOf(*duplicate), "by the first");
  EXPECT_EQ(effects, 0);
}

TEST_F(LedgerGuardTest, ADeadWorkersJobRunsAgainAndTheLateComerIsFenced) {
  Worker first(*this, "w1");
  Worker second(*this, "w2");
  Held held;
  const auto late = job("volume_create");
  first.guard->admit(late, held.taker());
  ASSERT_TRUE(until([&held] { return held.get() != nullptr; }));
  living_.erase("w1");
  const auto taken_over = job("volume_create");
  second.guard->admit(taken_over, [](const JobContextPtr& context) {
    context->complete(JobOutput{.body = "by the second", .env = {}});
  });
  ASSERT_TRUE(until([&] { return taken_over->completed(); }));
  EXPECT_EQ(bodyOf(*taken_over), "by the second");
  held.get()->complete(JobOutput{.body = "too late", .env = {}});
  EXPECT_EQ(bodyOf(*late), "by the second");
}

TEST_F(LedgerGuardTest, WhatTheFirstAttemptDidIsSuccess) {
  struct Case {
    std::string job;
    ContainerStatus before, after;
    Error told;
  };
  const std::vector<Case> cases = {
      {"container_start",
       ContainerStatus::Created,
       ContainerStatus::Running,
       {ErrorKind::NotModified, "already"}},
      {"container_stop",
       ContainerStatus::Running,
       ContainerStatus::Exited,
       {ErrorKind::NotModified, "already"}},
      {"container_kill",
       ContainerStatus::Running,
       ContainerStatus::Exited,
       {ErrorKind::Conflict, "not running"}},
      {"container_pause",
       ContainerStatus::Running,
       ContainerStatus::Paused,
       {ErrorKind::Conflict, "already"}},
  };
  Worker first(*this, "w1");
  Worker second(*this, "w2");
  for (const auto& [name, before, after, told] : cases) {
    living_.insert("w1");
    addContainer(first, name, name, before);
    const auto context = [&name = name] {
      return std::make_shared<RecordedContext>(
          Job{.id = "job " + name, .name = name, .args = {name}});
    };
    Held held;
    first.guard->admit(context(), held.taker());
    ASSERT_TRUE(until([&held] { return held.get() != nullptr; }));
    ASSERT_TRUE(
        first.database->write(Durability::Relaxed, [&, after = after](Transaction& transaction) {
          return changeState(transaction, name, [after](ContainerState& state) -> Result<void> {
            state.status = after;
            return {};
          });
        }));
    living_.erase("w1");
    const auto replay = context();
    second.guard->admit(replay,
                        [&told = told](const JobContextPtr& again) { again->complete(told); });
    ASSERT_TRUE(until([&] { return replay->completed(); })) << name;
    EXPECT_TRUE(replay->waitResult()) << name;
  }
}

TEST_F(LedgerGuardTest, AStartIsTakenOverWithTheRunThatTheFirstAttemptFound) {
  Worker first(*this, "w1");
  Worker second(*this, "w2");
  addContainer(first, "c1", "web", ContainerStatus::Exited);
  Held held;
  first.guard->admit(job("container_start", {"web"}), held.taker());
  ASSERT_TRUE(until([&held] { return held.get() != nullptr; }));
  EXPECT_FALSE(held.get()->job().env.has(kFirstFoundRun));
  ASSERT_TRUE(first.database->write(Durability::Relaxed, [](Transaction& transaction) {
    return changeState(transaction, "c1", [](ContainerState& state) -> Result<void> {
      state.run = 7;
      return {};
    });
  }));
  living_.erase("w1");
  std::string found;
  const auto replay = job("container_start", {"web"});
  second.guard->admit(replay, [&found](const JobContextPtr& again) {
    found = again->job().env.get(kFirstFoundRun);
    again->complete(JobOutput{});
  });
  ASSERT_TRUE(until([&] { return replay->completed(); }));
  EXPECT_EQ(found, "0");
}

TEST_F(LedgerGuardTest, ARefusalOfAFirstAttemptStaysOne) {
  Worker worker(*this, "w1");
  addContainer(worker, "c1", "web", ContainerStatus::Running);
  const auto start = job("container_start", {"web"});
  worker.guard->admit(start, [](const JobContextPtr& context) {
    context->complete(Error{ErrorKind::NotModified, "container is already running"});
  });
  EXPECT_EQ(start->waitResult().error().kind(), ErrorKind::NotModified);
}

TEST_F(LedgerGuardTest, QueriesPass) {
  Worker worker(*this, "w1");
  int effects = 0;
  for (int i = 0; i < 2; ++i) {
    const auto query = job("container_inspect");
    worker.guard->admit(query, [&effects](const JobContextPtr& context) {
      ++effects;
      context->complete(JobOutput{});
    });
    EXPECT_TRUE(query->waitResult());
  }
  EXPECT_EQ(effects, 2);
}

}  // namespace
}  // namespace flotilla::engine
