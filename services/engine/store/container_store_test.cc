#include "engine/store/container_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/store/container_catalog.h"
#include "engine/store/exec_store.h"
#include "engine/store/job_ledger.h"
#include "engine/store/schema.h"
#include "engine/store/waiter_store.h"

namespace flotilla::engine {
namespace {

class ContainerStoreTest : public ::testing::Test {
 protected:
  ContainerStoreTest() {
    std::string pattern = ::testing::TempDir() + "flotilla-store-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    database_ = Database::open(dir_ + "/engine.db", coreMigrations()).value();
    catalog_ = std::make_unique<ContainerCatalog>(*database_);
  }
  ~ContainerStoreTest() override {
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  Result<void> write(const Database::WriteFn& fn) {
    return database_->write(Durability::Relaxed, fn);
  }

  Result<void> insert(const std::string& id, const std::string& name, std::int64_t created = 1) {
    ContainerRecord record;
    record.id = id;
    record.name = name;
    record.created_ns = created;
    auto spec = std::make_shared<ContainerSpec>();
    spec->image = "busybox";
    spec->config.cmd = std::vector<std::string>{"sh"};
    spec->mounts.push_back({.type = "volume", .name = "v", .destination = "/v", .options = {"ro"}});
    record.spec = spec;
    return write([&](Transaction& transaction) { return insertContainer(transaction, record); });
  }

  Result<void> setStatus(const std::string& id, ContainerStatus status) {
    return write([&](Transaction& transaction) {
      return changeState(transaction, id, [&](ContainerState& state) -> Result<void> {
        state.status = status;
        return {};
      });
    });
  }

  Result<void> remove(const std::string& id, int code, std::int64_t now = 5) {
    return write([&](Transaction& transaction) -> Result<void> {
      FLO_TRY(deleteContainer(transaction, {id, code, ""}, now));
      return {};
    });
  }

  std::string dir_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<ContainerCatalog> catalog_;
};

TEST_F(ContainerStoreTest, KeepsWhatAnOlderSchemaHeld) {
  database_.reset();
  const std::string path = dir_ + "/old.db";
  auto oldest = coreMigrations();
  oldest.resize(1);
  database_ = Database::open(path, oldest).value();
  ContainerSpec spec;
  spec.image = "busybox";
  ASSERT_TRUE(write([&](Transaction& transaction) -> Result<void> {
    FLO_TRY_ASSIGN(auto insert,
                   transaction.prepare(
                       "INSERT INTO containers VALUES('aa11','web',1,2,2,?,'exited',0,0,'',7,0,'',"
                       "0,0,0,0,1,3,0,0,'')"));
    return insert.bind(encodeSpec(spec)).run();
  }));
  database_ = Database::open(path, coreMigrations()).value();
  ASSERT_TRUE(database_->read([](Transaction& transaction) -> Result<void> {
    const auto record = loadContainer(transaction, "aa11").value();
    EXPECT_TRUE(record && record->spec->image == "busybox" && record->state.exit_code == 7);
    return {};
  }));
}

TEST_F(ContainerStoreTest, KeepsSpecAndStateLosslessly) {
  ASSERT_TRUE(insert("aa11", "web"));
  ASSERT_TRUE(write([&](Transaction& transaction) {
    return changeState(transaction, "aa11", [](ContainerState& state) -> Result<void> {
      state.status = ContainerStatus::Running;
      state.pid = 42;
      state.pid_start = 77;
      state.attached = true;
      state.endpoint.network = "bridge";
      state.endpoint.ports.push_back({"tcp", 80, "0.0.0.0", 8080});
      return {};
    });
  }));
  ASSERT_TRUE(write([&](Transaction& transaction) -> Result<void> {
    const auto record = loadContainer(transaction, "aa11").value().value();
    EXPECT_EQ(record.spec->config.cmd, std::vector<std::string>{"sh"});
    EXPECT_EQ(record.spec->mounts.at(0).options, std::vector<std::string>{"ro"});
    EXPECT_EQ(record.state.pid, 42);
    EXPECT_EQ(record.state.pid_start, 77U);
    EXPECT_EQ(record.state.endpoint.ports.at(0).host_port, 8080);
    return {};
  }));
}

TEST_F(ContainerStoreTest, RefusesATakenNameInDockersWords) {
  ASSERT_TRUE(insert("aa11", "web"));
  const auto second = insert("bb22", "web");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind(), ErrorKind::Conflict);
  EXPECT_EQ(
      second.error().message(),
      "Conflict. The container name \"/web\" is already in use by container \"aa11\". You have to"
      " remove (or rename) that container to be able to reuse that name.");
}

TEST_F(ContainerStoreTest, CatalogFollowsEveryChange) {
  ASSERT_TRUE(insert("aa11", "web", 1));
  ASSERT_TRUE(insert("ab22", "db", 2));
  EXPECT_EQ(catalog_->list().value().at(0)->name, "db");
  EXPECT_EQ(catalog_->get("web").value()->id, "aa11");
  EXPECT_EQ(catalog_->get("/web").value()->id, "aa11");
  EXPECT_EQ(catalog_->get("ab").value()->id, "ab22");
  EXPECT_EQ(catalog_->get("a").error().message(), "multiple IDs found with provided prefix: a");
  EXPECT_EQ(catalog_->get("zz").error().message(), "No such container: zz");

  const auto spec = catalog_->get("web").value()->spec;
  ASSERT_TRUE(setStatus("aa11", ContainerStatus::Running));
  EXPECT_EQ(catalog_->get("web").value()->state.status, ContainerStatus::Running);
  EXPECT_EQ(catalog_->get("web").value()->spec, spec) << "an unchanged spec is shared";

  ASSERT_TRUE(write([](Transaction& t) { return renameContainer(t, "aa11", "front"); }));
  EXPECT_FALSE(catalog_->get("web"));
  EXPECT_EQ(catalog_->get("front").value()->id, "aa11");

  ASSERT_TRUE(remove("aa11", 3));
  EXPECT_FALSE(catalog_->get("front"));
  EXPECT_EQ(catalog_->list().value().size(), 1U);
  ASSERT_TRUE(insert("cc33", "front", 3));
  EXPECT_EQ(catalog_->list().value().at(0)->id, "cc33");
}

TEST_F(ContainerStoreTest, CatalogTakesOverWhatWasInsertedHere) {
  ContainerRecord record;
  record.id = "made";
  record.name = "web";
  record.spec = std::make_shared<const ContainerSpec>();
  ASSERT_TRUE(
      write([&](Transaction& transaction) { return insertContainer(transaction, record); }));
  catalog_->inserted(record);
  const auto made = catalog_->get("web").value();
  EXPECT_EQ(made->spec, record.spec);
  ContainerCatalog other_reader(*database_);
  const auto decoded = other_reader.get("web").value();
  EXPECT_EQ(made->revision, decoded->revision);
  EXPECT_EQ(made->created_ns, decoded->created_ns);
  EXPECT_EQ(made->state.status, decoded->state.status);
  EXPECT_EQ(made->state.endpoint, decoded->state.endpoint);
  ASSERT_TRUE(setStatus("made", ContainerStatus::Running));
  EXPECT_EQ(catalog_->get("web").value()->spec, record.spec);

  ContainerSpec other;
  other.image = "other";
  ASSERT_TRUE(
      write([&](Transaction& transaction) { return replaceSpec(transaction, "made", other); }));
  catalog_->inserted(record);  // late: the row has another by now
  EXPECT_EQ(catalog_->get("web").value()->spec->image, "other");
}

TEST_F(ContainerStoreTest, ACatalogThatWasNotAskedForLongForgetsWhatWasRemoved) {
  for (const std::string name : {"aa11", "bb22", "cc33"}) {
    ASSERT_TRUE(insert(name, name));
  }
  ContainerCatalog idle(*database_);
  ASSERT_EQ(idle.list().value().size(), 3U);
  constexpr std::int64_t kHour = 3'600'000'000'000;
  ASSERT_TRUE(remove("aa11", 0, kHour));
  ASSERT_TRUE(remove("bb22", 0, 2 * kHour));  // the first one's tombstone goes with it
  const auto left = idle.list().value();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left.front()->id, "cc33");
  EXPECT_FALSE(idle.get("aa11"));
  ASSERT_TRUE(insert("dd44", "aa11"));
  EXPECT_EQ(idle.get("aa11").value()->id, "dd44");
  EXPECT_EQ(idle.list().value().size(), 2U);
}

TEST_F(ContainerStoreTest, RemovalLeavesATombstone) {
  ASSERT_TRUE(insert("aa11", "web"));
  ASSERT_TRUE(remove("aa11", 3));
  ASSERT_TRUE(write([](Transaction& transaction) -> Result<void> {
    EXPECT_EQ(findTombstone(transaction, "aa11").value().value().exit_code, 3);
    EXPECT_FALSE(findTombstone(transaction, "bb").value());
    return {};
  }));
}

TEST_F(ContainerStoreTest, WaitersAreAnsweredOnceByCondition) {
  ASSERT_TRUE(write([](Transaction& transaction) -> Result<void> {
    FLO_TRY(insertWaiter(transaction, {"j1", "aa11", WaitCondition::NextExit, 4, {}}, 1));
    FLO_TRY(insertWaiter(transaction, {"j2", "aa11", WaitCondition::Removed, 4, {}}, 1));
    const auto first = answerWaiters(transaction, "aa11",
                                     {WaitCondition::NotRunning, WaitCondition::NextExit}, 7, "");
    EXPECT_EQ(first.value().size(), 1U);
    EXPECT_EQ(first.value().at(0).job, "j1");
    // A later exit does not change what the first one answered.
    EXPECT_TRUE(
        answerWaiters(transaction, "aa11", {WaitCondition::NextExit}, 9, "").value().empty());
    EXPECT_EQ(findWaiter(transaction, "j1").value()->answer->exit_code, 7);
    EXPECT_FALSE(findWaiter(transaction, "j2").value()->answer);
    return {};
  }));
}

TEST_F(ContainerStoreTest, AnExecIsStartedOnceAndKeepsItsExitCode) {
  ASSERT_TRUE(write([](Transaction& transaction) -> Result<void> {
    ExecRecord exec{.id = "e1", .container = "aa11"};
    exec.config.cmd = {"ls", "-l"};
    exec.config.tty = true;
    FLO_TRY(insertExec(transaction, exec));
    EXPECT_TRUE(claimExec(transaction, "e1").value());
    EXPECT_FALSE(claimExec(transaction, "e1").value());
    EXPECT_EQ(runningExecs(transaction, "aa11").value(), std::vector<std::string>{"e1"});
    FLO_TRY(noteExecExit(transaction, "e1", 5, 2));
    const auto stored = loadExec(transaction, "e1").value().value();
    EXPECT_EQ(stored.exit_code, 5);
    EXPECT_EQ(stored.config.cmd.at(1), "-l");
    EXPECT_TRUE(stored.config.tty);
    return {};
  }));
}

TEST_F(ContainerStoreTest, AJobThatIsDeliveredTwiceTakesEffectOnce) {
  const JobLedger ledger(*database_, [] { return std::int64_t{1}; });
  ASSERT_TRUE(write([&](Transaction& transaction) -> Result<void> {
    const auto first = ledger.take(transaction, "job").value();
    EXPECT_FALSE(first.again);
    const auto second = ledger.take(transaction, "job").value();
    EXPECT_TRUE(second.again);
    EXPECT_FALSE(ledger.finish(transaction, "job", first.epoch, {"old", {}})) << "fenced";
    FLO_TRY(ledger.finish(transaction, "job", second.epoch, {"done", {}}));
    EXPECT_EQ(ledger.take(transaction, "job").value().result->body, "done");
    return {};
  }));
}

}  // namespace
}  // namespace flotilla::engine
