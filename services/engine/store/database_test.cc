#include "engine/store/database.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace flotilla::engine {
namespace {

const std::vector<Migration> kSchema = {
    {"test", 1, "CREATE TABLE items(name TEXT PRIMARY KEY, value INTEGER NOT NULL)"}};

class DatabaseTest : public ::testing::Test {
 protected:
  DatabaseTest() {
    std::string pattern = ::testing::TempDir() + "flotilla-db-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~DatabaseTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  std::string path() const { return dir_ + "/engine.db"; }
  std::unique_ptr<Database> open() { return Database::open(path(), kSchema).value(); }

  static Result<void> put(Transaction& transaction, const std::string& name, std::int64_t value) {
    FLO_TRY_ASSIGN(auto insert, transaction.prepare("INSERT INTO items VALUES(?, ?)"));
    return insert.bind(name).bind(value).run();
  }

  static std::int64_t count(Database& database) {
    std::int64_t rows = -1;
    const auto read = database.read([&](Transaction& transaction) -> Result<void> {
      FLO_TRY_ASSIGN(auto select, transaction.prepare("SELECT count(*) FROM items"));
      FLO_TRY(select.step());
      rows = select.integer(0);
      return {};
    });
    EXPECT_TRUE(read.has_value());
    return rows;
  }

  std::string dir_;
};

TEST_F(DatabaseTest, KeepsWhatWasWrittenAcrossOpens) {
  {
    auto database = open();
    ASSERT_TRUE(
        database->write(Durability::Durable, [](Transaction& t) { return put(t, "a", 1); }));
  }
  auto database = open();
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, FileIsPrivate) {
  auto database = open();
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(DatabaseTest, FailedWriteLeavesNothingAndItsNeighboursStand) {
  auto database = open();
  std::atomic<int> failures = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 20; ++i) {
    writers.emplace_back([&, i] {
      const auto written =
          database->write(Durability::Relaxed, [i](Transaction& t) -> Result<void> {
            FLO_TRY(put(t, "item" + std::to_string(i), i));
            if (i % 2 != 0) {
              return Error{ErrorKind::Conflict, "odd"};
            }
            return {};
          });
      failures += written ? 0 : 1;
    });
  }
  for (auto& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(failures, 10);
  EXPECT_EQ(count(*database), 10);
}

TEST_F(DatabaseTest, DuplicateKeyIsAlreadyExists) {
  auto database = open();
  ASSERT_TRUE(database->write(Durability::Relaxed, [](Transaction& t) { return put(t, "a", 1); }));
  const auto again =
      database->write(Durability::Relaxed, [](Transaction& t) { return put(t, "a", 2); });
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind(), ErrorKind::AlreadyExists);
}

TEST_F(DatabaseTest, DataVersionChangesWithEveryCommitOfAnyone) {
  auto database = open();
  auto other = open();
  const auto before = database->dataVersion();
  EXPECT_EQ(database->dataVersion(), before);
  ASSERT_TRUE(database->write(Durability::Relaxed, [](Transaction& t) { return put(t, "a", 1); }));
  const auto own = database->dataVersion();
  EXPECT_NE(own, before);
  ASSERT_TRUE(other->write(Durability::Relaxed, [](Transaction& t) { return put(t, "b", 1); }));
  EXPECT_NE(database->dataVersion(), own);
}

TEST_F(DatabaseTest, AVersionIsKnownUntilTheNextCommit) {
  auto database = Database::open(path(), kSchema, Writers::ThisProcess).value();
  EXPECT_EQ(database->knownVersion(), std::nullopt) << "nobody asked for one";
  const auto version = database->dataVersion();
  EXPECT_EQ(database->knownVersion(), version);
  std::optional<std::uint64_t> meanwhile;
  database->onCommit([&] { meanwhile = database->knownVersion(); });
  ASSERT_TRUE(database->write(Durability::Relaxed, [&](Transaction& t) {
    EXPECT_EQ(database->knownVersion(), version) << "others do not see it yet";
    return put(t, "a", 1);
  }));
  EXPECT_EQ(meanwhile, std::nullopt) << "before anybody hears of the commit";
  EXPECT_EQ(database->knownVersion(), std::nullopt);
  EXPECT_NE(database->dataVersion(), version);
  EXPECT_NE(database->knownVersion(), std::nullopt);
}

TEST_F(DatabaseTest, NoVersionIsKnownWhereOthersWrite) {
  auto database = open();
  database->dataVersion();
  EXPECT_EQ(database->knownVersion(), std::nullopt);
}

TEST_F(DatabaseTest, TwoProcessesWorthOfWritersAllSucceed) {
  auto first = open();
  auto second = open();
  std::atomic<int> written = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&, i] {
      Database& database = i % 2 == 0 ? *first : *second;
      for (int n = 0; n < 25; ++n) {
        const auto name = std::to_string(i) + "/" + std::to_string(n);
        written +=
            database.write(Durability::Relaxed, [&](Transaction& t) { return put(t, name, n); })
                ? 1
                : 0;
      }
    });
  }
  for (auto& writer : writers) {
    writer.join();
  }
  EXPECT_EQ(written, 200);
  EXPECT_EQ(count(*first), 200);
}

TEST_F(DatabaseTest, AStatementMayBeUsedWhileItRuns) {
  auto database = open();
  ASSERT_TRUE(database->write(Durability::Relaxed, [](Transaction& t) -> Result<void> {
    FLO_TRY(put(t, "a", 1));
    return put(t, "b", 2);
  }));
  int pairs = 0;
  ASSERT_TRUE(database->read([&](Transaction& t) -> Result<void> {
    FLO_TRY_ASSIGN(auto outer, t.prepare("SELECT name FROM items"));
    while (outer.step().value_or(false)) {
      FLO_TRY_ASSIGN(auto inner, t.prepare("SELECT name FROM items"));
      while (inner.step().value_or(false)) {
        ++pairs;
      }
    }
    return {};
  }));
  EXPECT_EQ(pairs, 4);
}

TEST_F(DatabaseTest, RefusesASchemaFromTheFuture) {
  auto newer = kSchema;
  newer.push_back({"test", 2, "ALTER TABLE items ADD COLUMN more TEXT"});
  Database::open(path(), newer).value().reset();
  const auto older = Database::open(path(), kSchema);
  ASSERT_FALSE(older);
  EXPECT_NE(older.error().message().find("test/2"), std::string::npos);
}

TEST_F(DatabaseTest, AWriteThatIsAloneRunsOnItsOwnThreadAndOthersWaitForIt) {
  auto database = open();
  std::thread::id ran_on;
  std::thread other;
  std::atomic<bool> other_ran = false;
  ASSERT_TRUE(database->write(Durability::Relaxed, [&](Transaction& t) -> Result<void> {
    ran_on = std::this_thread::get_id();
    other = std::thread([&] {
      EXPECT_TRUE(database->write(Durability::Relaxed, [&](Transaction& mine) {
        other_ran = true;
        return put(mine, "b", 2);
      }));
    });
    FLO_TRY(put(t, "a", 1));
    EXPECT_FALSE(other_ran);
    return {};
  }));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  other.join();
  EXPECT_EQ(count(*database), 2);
}

TEST_F(DatabaseTest, AsyncWriteReportsAfterTheCommit) {
  auto database = open();
  std::atomic<std::int64_t> seen = -1;
  database->writeAsync(
      Durability::Relaxed, [](Transaction& t) { return put(t, "a", 1); },
      [&](const Result<void>& result) { seen = result ? 1 : 0; });
  database.reset();  // finishes what is queued
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace flotilla::engine
