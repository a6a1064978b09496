#include "engine/store/event_store.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>

#include "engine/store/schema.h"

namespace flotilla::engine {
namespace {

class EventStoreTest : public ::testing::Test {
 protected:
  EventStoreTest() {
    std::string pattern = ::testing::TempDir() + "flotilla-events-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    database_ = Database::open(dir_ + "/engine.db", coreMigrations()).value();
    events_ = std::make_unique<EventStore>(*database_, [this] { return now_; });
  }
  ~EventStoreTest() override {
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  void append(const std::string& action) {
    ASSERT_TRUE(database_->write(Durability::Relaxed, [&](Transaction& transaction) {
      return events_->append(transaction, {.type = "container",
                                           .action = action,
                                           .actor_id = "c1",
                                           .attributes = {{"name", "web"}}});
    }));
  }

  std::string dir_;
  std::int64_t now_ = 1000;
  std::unique_ptr<Database> database_;
  std::unique_ptr<EventStore> events_;
};

TEST_F(EventStoreTest, NumbersEventsInOrderAndReadsThemBack) {
  append("create");
  now_ = 2000;
  append("start");
  const auto all = events_->after(0, 10).value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].action, "create");
  EXPECT_EQ(all[1].seq, all[0].seq + 1);
  EXPECT_EQ(all[1].time_ns, 2000);
  EXPECT_EQ(all[1].attributes.at("name"), "web");
  EXPECT_EQ(events_->positionAt(1500).value(), all[0].seq);
  EXPECT_EQ(events_->positionAt(9999).value(), all[1].seq);
  append("die");
  EXPECT_EQ(events_->after(all[1].seq, 10).value().at(0).action, "die");
}

TEST_F(EventStoreTest, AnEventOfAFailedWriteDoesNotExist) {
  const auto failed =
      database_->write(Durability::Relaxed, [&](Transaction& transaction) -> Result<void> {
        FLO_TRY(events_->append(transaction, {.type = "container", .action = "start"}));
        return Error{ErrorKind::Conflict, "no"};
      });
  EXPECT_FALSE(failed);
  EXPECT_TRUE(events_->after(0, 10).value().empty());
}

TEST_F(EventStoreTest, TellsSubscribersOnceTheEventCanBeRead) {
  std::mutex mutex;
  std::condition_variable told;
  std::size_t seen = 0;
  const auto id = events_->subscribe([&] {
    const auto news = events_->after(0, 10);
    const std::lock_guard lock(mutex);
    seen = news ? news->size() : 0;
    told.notify_one();
  });
  append("create");
  std::unique_lock lock(mutex);
  EXPECT_TRUE(told.wait_for(lock, std::chrono::seconds(10), [&] { return seen == 1; }));
  lock.unlock();
  events_->unsubscribe(id);
}

}  // namespace
}  // namespace flotilla::engine
