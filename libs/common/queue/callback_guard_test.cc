#include "common/queue/callback_guard.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

struct Owner {
  explicit Owner(int& calls_in) : calls(calls_in) {}
  int& calls;
  CallbackGuard guard;
};

TEST(CallbackGuard, RunsWhileTheOwnerLivesAndIsNotClosed) {
  int calls = 0;
  auto owner = std::make_shared<Owner>(calls);
  const auto add = owner->guard([owner = owner.get()](int count) { owner->calls += count; });
  add(1);
  EXPECT_EQ(calls, 0) << "before the guard knew its owner";
  owner->guard.belongTo(owner);
  add(1);
  EXPECT_EQ(calls, 1);
  owner->guard.close();
  add(1);
  EXPECT_EQ(calls, 1);
}

TEST(CallbackGuard, KeepsTheOwnerAliveMeanwhileAndNotLonger) {
  int calls = 0;
  auto owner = std::make_shared<Owner>(calls);
  owner->guard.belongTo(owner);
  const auto drop = owner->guard([&owner, plain = owner.get()] {
    owner.reset();
    ++plain->calls;
  });
  const std::weak_ptr<Owner> watched = owner;
  drop();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(watched.expired());
  drop();
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace flotilla
