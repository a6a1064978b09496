#include "common/queue/engine_queues.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/testing/loop.h"

namespace flotilla {
namespace {

using Ids = std::vector<std::string>;

/// Answers when told to.
class FakeRedis final : public RedisConnection {
 public:
  void start() override {}
  void close() override {}
  [[nodiscard]] bool ready() const override { return up; }
  [[nodiscard]] const Error& lastError() const override { return error_; }
  void send(const Arguments& arguments, Done done, std::chrono::milliseconds /*timeout*/) override {
    commands.emplace_back(arguments.at(0), std::move(done));
  }

  /// Answers the oldest command, which must be `name`.
  void answer(const std::string& name, RedisReply reply) {
    ASSERT_FALSE(commands.empty());
    const auto [asked, done] = std::exchange(commands.front(), {});
    commands.erase(commands.begin());
    ASSERT_EQ(asked, name);
    done(std::move(reply));
  }

  bool up = true;
  std::vector<std::pair<std::string, Done>> commands;

 private:
  const Error error_{ErrorKind::Unavailable, "down"};
};

RedisReply number(std::int64_t value) {
  return {.type = RedisReply::Type::Integer, .integer = value, .text = {}, .elements = {}};
}

class EngineQueuesTest : public ::testing::Test {
 protected:
  EngineQueuesTest() {
    side_.commands = redis_;
    side_.guard.belongTo(owner_);
  }

  void enter(const std::string& engine_id, const std::string& job_id) {
    waiting_.insert(job_id);
    queues_.enter(engine_id, job_id);
  }
  void noStream(const std::string& engine_id, const std::string& job_id) {
    waiting_.insert(job_id);
    queues_.holdForStream(engine_id, job_id);
  }
  /// What is asked when a stream may be full.
  void answerRoom(std::int64_t entries, std::int64_t at_workers) {
    redis_->answer("XLEN", number(entries));
    redis_->answer("XPENDING", {.type = RedisReply::Type::Array,
                                .integer = 0,
                                .text = {},
                                .elements = {number(at_workers)}});
  }

  const std::shared_ptr<int> owner_ = std::make_shared<int>();
  const std::shared_ptr<FakeRedis> redis_ = std::make_shared<FakeRedis>();
  const std::unique_ptr<Reactor> reactor_ = Reactor::create().value();
  GatewaySide side_{
      *reactor_, {.target = {}, .key = ClusterKey::fromBytes("k"), .max_waiting = 2}, "g"};
  std::set<std::string> waiting_;
  Ids sent_, held_, full_;
  EngineQueues queues_{
      side_,
      {.waits = [this](const auto& job) { return waiting_.contains(job); },
       .send =
           [this](const auto& job) {
             sent_.push_back(job);
             waiting_.erase(job);
             queues_.grew("a");
           },
       .held = [this](const auto& job) { held_.push_back(job); },
       .full = [this](const auto& job, const auto& /*engine*/) { full_.push_back(job); }}};
};

TEST_F(EngineQueuesTest, AnEngineWithoutAStreamHoldsUpNoOther) {
  noStream("none", "1");
  enter("a", "2");
  EXPECT_EQ(sent_, Ids({"2"}));
}

TEST_F(EngineQueuesTest, JobsOfAnEngineWithoutAStreamStayInOrderAndAreTriedAgain) {
  noStream("none", "1");
  enter("none", "2");
  noStream("none", "3");
  waiting_.erase("3");  // given up meanwhile
  EXPECT_EQ(sent_, Ids());
  EXPECT_EQ(held_, Ids({"1", "2", "3"}));
  ASSERT_TRUE(testing::runUntil(*reactor_, [this] { return sent_.size() == 2; }));
  EXPECT_EQ(sent_, Ids({"1", "2"}));
}

TEST_F(EngineQueuesTest, AStreamThatMayBeFullIsAskedForRoom) {
  enter("a", "1");
  redis_->answer("XLEN", number(2));
  enter("a", "2");
  enter("a", "3");
  EXPECT_EQ(sent_, Ids({"1"}));
  answerRoom(2, 1);
  EXPECT_EQ(sent_, Ids({"1", "2"}));
  EXPECT_EQ(full_, Ids({"3"}));
}

TEST_F(EngineQueuesTest, WhatIsOverMakesRoom) {
  enter("a", "1");
  enter("a", "2");
  queues_.shrank("a");
  enter("a", "3");
  EXPECT_EQ(sent_, Ids({"1", "2", "3"}));
}

TEST_F(EngineQueuesTest, WithoutAConnectionJobsWaitForOne) {
  redis_->up = false;
  enter("a", "1");
  enter("a", "2");
  EXPECT_EQ(held_, Ids({"1", "2"}));
  redis_->up = true;
  queues_.connected();
  EXPECT_EQ(sent_, Ids({"1", "2"}));
}

TEST_F(EngineQueuesTest, WhoAskedForRoomWhenTheConnectionBrokeIsSentAfterwards) {
  enter("a", "1");
  enter("a", "2");
  enter("a", "3");
  redis_->up = false;
  redis_->commands.clear();
  queues_.lost();
  EXPECT_EQ(held_, Ids({"3"}));
  redis_->up = true;
  queues_.shrank("a");
  queues_.connected();
  EXPECT_EQ(sent_, Ids({"1", "2", "3"}));
}

}  // namespace
}  // namespace flotilla
