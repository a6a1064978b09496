#include "engine/jobs/recent_answers.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "engine/store/schema.h"

namespace flotilla::engine {
namespace {

class RecentAnswersTest : public ::testing::Test {
 protected:
  RecentAnswersTest() {
    std::string pattern = ::testing::TempDir() + "flotilla-answers-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
  }
  ~RecentAnswersTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  std::unique_ptr<Database> open(Writers writers) {
    return Database::open(dir_ + "/engine.db", coreMigrations(), writers).value();
  }
  static void commit(Database& database) {
    ASSERT_TRUE(database.write(Durability::Relaxed, [](Transaction& t) -> Result<void> {
      FLO_TRY_ASSIGN(auto change, t.prepare("UPDATE counters SET value = value + 1"));
      return change.run();
    }));
  }

  std::string dir_;
};

TEST_F(RecentAnswersTest, AnAnswerHoldsUntilTheNextCommit) {
  const auto database = open(Writers::ThisProcess);
  RecentAnswers answers(*database);
  EXPECT_EQ(answers.find("web"), std::nullopt);
  answers.keep("web", database->dataVersion(), "{}");
  EXPECT_EQ(answers.find("web"), "{}");
  EXPECT_EQ(answers.find("db"), std::nullopt);
  commit(*database);
  EXPECT_EQ(answers.find("web"), std::nullopt);
  const auto version = database->dataVersion();
  EXPECT_EQ(answers.find("web"), std::nullopt) << "nobody has looked it up since";
  answers.keep("db", version, "[]");
  EXPECT_EQ(answers.find("web"), std::nullopt);
  EXPECT_EQ(answers.find("db"), "[]");
}

TEST_F(RecentAnswersTest, AnAnswerFromBeforeACommitIsNotGiven) {
  const auto database = open(Writers::ThisProcess);
  RecentAnswers answers(*database);
  const auto before = database->dataVersion();
  commit(*database);
  database->dataVersion();
  answers.keep("web", before, "{}");
  EXPECT_EQ(answers.find("web"), std::nullopt);
}

TEST_F(RecentAnswersTest, AreNotGivenWhereOtherProcessesWrite) {
  const auto database = open(Writers::Several);
  RecentAnswers answers(*database);
  answers.keep("web", database->dataVersion(), "{}");
  EXPECT_EQ(answers.find("web"), std::nullopt);
}

TEST_F(RecentAnswersTest, AreFew) {
  const auto database = open(Writers::ThisProcess);
  RecentAnswers answers(*database);
  const auto version = database->dataVersion();
  constexpr int kMany = 1000;
  int kept = 0;
  for (int i = 0; i < kMany; ++i) {
    answers.keep(std::to_string(i), version, "{}");
  }
  for (int i = 0; i < kMany; ++i) {
    kept += answers.find(std::to_string(i)) ? 1 : 0;
  }
  EXPECT_GT(kept, 0);
  EXPECT_LE(kept, 64);
}

}  // namespace
}  // namespace flotilla::engine
