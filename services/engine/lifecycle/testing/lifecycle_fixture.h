#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <latch>
#include <memory>
#include <thread>

#include "engine/lifecycle/lifecycle.h"
#include "engine/lifecycle/testing/fake_runtime.h"
#include "engine/lifecycle/testing/fake_stores.h"
#include "engine/store/schema.h"

namespace flotilla::engine::testing_support {

/// A lifecycle over a real database in a folder of its own and a fake world. restartEngine() is a
/// kill -9 of the engine: the world and the disk stay.
class LifecycleTest : public testing::Test {
 protected:
  static constexpr std::size_t kWorkThreads = 4;
  static constexpr int kStarts = 8;  // at a time

  LifecycleTest() {
    std::string pattern = testing::TempDir() + "flotilla-lifecycle-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    paths_ = std::make_unique<Paths>(dir_ + "/root", dir_ + "/run");
    boot();
  }
  ~LifecycleTest() override {
    halt();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  void boot() {
    reactor_ = Reactor::create().value();
    loop_ = std::thread([this] { reactor_->run(); });
    EXPECT_TRUE(makeEngineFolders(*paths_));
    database_ = Database::open(paths_->database(), coreMigrations()).value();
    events_ = std::make_unique<EventStore>(*database_, [this] { return ++now_; });
    catalog_ = std::make_unique<ContainerCatalog>(*database_);
    ledger_ = std::make_unique<JobLedger>(*database_, [this] { return ++now_; });
    locks_ = std::make_unique<TransitionLocks>(paths_->locks());
    work_ = std::make_unique<ThreadPool>(ThreadPool::Options{"work", kWorkThreads});
    EngineFacts facts;
    facts.host.cpus = 1;
    facts.boot = boot_id_;
    lifecycle_ = std::make_unique<Lifecycle>(LifecycleParts{*paths_,
                                                            *database_,
                                                            *events_,
                                                            *catalog_,
                                                            *ledger_,
                                                            *locks_,
                                                            gate_,
                                                            runtime_,
                                                            runtime_,
                                                            images_,
                                                            networks_,
                                                            volumes_,
                                                            *reactor_,
                                                            *work_,
                                                            [this] { return ++now_; },
                                                            facts,
                                                            {}});
  }

  void halt() {
    runtime_.dropWatches();
    reactor_->stop();
    loop_.join();
    work_.reset();
    // Writes that nobody waits for use the lifecycle.
    EXPECT_TRUE(
        database_->write(Durability::Relaxed, [](Transaction&) -> Result<void> { return {}; }));
    lifecycle_.reset();
    database_.reset();
  }

  void restartEngine() {
    halt();
    boot();
    ASSERT_TRUE(lifecycle_->recovery.run());
  }

  std::string create(const std::string& name,
                     const std::function<void(model::CreateRequest&)>& edit = {}) {
    model::CreateRequest request;
    request.config.image = "busybox";
    request.config.cmd = std::vector<std::string>{"sh"};
    if (edit) {
      edit(request);
    }
    const auto made = lifecycle_->creator.create(request, {"", "", name, {}});
    EXPECT_TRUE(made) << made.error().message();
    return catalog_->get(name).value()->id;
  }

  /// The container's row is lost, as with a database from before it.
  void forget(const std::string& id) {
    EXPECT_TRUE(
        database_->write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
          FLO_TRY_ASSIGN(auto remove, transaction.prepare("DELETE FROM containers WHERE id = ?"));
          return remove.bind(id).run();
        }));
  }

  ContainerState state(const std::string& id) { return catalog_->find(id).value()->state; }

  /// Actions of all events so far, in order.
  std::vector<std::string> actions() {
    std::vector<std::string> list;
    const auto events = events_->after(0, 1000);
    for (const Event& event : events.value()) {
      list.push_back(event.action);
    }
    return list;
  }

  /// Everything that was posted to the work pool has run.
  void finishWork() {
    // All its threads at once: then none is busy. The last to leave ends the latch.
    const auto here = std::make_shared<std::latch>(kWorkThreads + 1);
    for (std::size_t i = 0; i < kWorkThreads; ++i) {
      ASSERT_TRUE(work_->post([here] { here->arrive_and_wait(); }));
    }
    here->arrive_and_wait();
  }

  /// Waits, with a deadline, until `test` holds.
  static bool eventually(const std::function<bool()>& test) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!test()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  /// The answer of a wait that was registered as `job`.
  struct Answer {
    std::mutex mutex;
    std::optional<int> code;
    std::optional<int> get() {
      const std::lock_guard lock(mutex);
      return code;
    }
  };
  std::shared_ptr<Answer> wait(const std::string& job, const std::string& id,
                               WaitCondition condition) {
    auto answer = std::make_shared<Answer>();
    EXPECT_TRUE(lifecycle_->waiters.add(job, id, condition, [answer](const WaitAnswer& given) {
      const std::lock_guard lock(answer->mutex);
      answer->code = given.exit_code;
    }));
    return answer;
  }

  std::string dir_;
  std::string boot_id_ = "boot-1";
  std::atomic<std::int64_t> now_{1'000'000'000'000};
  std::unique_ptr<Paths> paths_;
  FakeRuntime runtime_;
  FakeImages images_;
  FakeNetworks networks_;
  FakeVolumes volumes_;
  std::unique_ptr<Reactor> reactor_;
  std::thread loop_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<EventStore> events_;
  std::unique_ptr<ContainerCatalog> catalog_;
  std::unique_ptr<JobLedger> ledger_;
  std::unique_ptr<TransitionLocks> locks_;
  StartGate gate_{kStarts};
  std::unique_ptr<ThreadPool> work_;
  std::unique_ptr<Lifecycle> lifecycle_;
};

}  // namespace flotilla::engine::testing_support
