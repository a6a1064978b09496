#include "engine/shim/restart.h"

#include <gtest/gtest.h>

namespace flotilla::engine::shim {
namespace {

using std::chrono::milliseconds;

TEST(RestartRule, BacksOffAndBeginsAnew) {
  RestartRule rule;
  const RestartPolicy always{"always", 0};
  EXPECT_EQ(rule.afterExit(always, 0, milliseconds(5)), milliseconds(100));
  EXPECT_EQ(rule.afterExit(always, 0, milliseconds(5)), milliseconds(200));
  EXPECT_EQ(rule.afterExit(always, 0, milliseconds(10000)), milliseconds(100));
  for (int i = 0; i < 20; ++i) {
    (void)rule.afterExit(always, 0, milliseconds(5));
  }
  EXPECT_EQ(rule.afterExit(always, 0, milliseconds(5)), milliseconds(60000));
}

TEST(RestartRule, OnFailureCountsAndForgivesSuccess) {
  RestartRule rule;
  const RestartPolicy twice{"on-failure", 2};
  EXPECT_FALSE(rule.afterExit(twice, 0, milliseconds(5)).has_value());
  EXPECT_TRUE(rule.afterExit(twice, 1, milliseconds(5)).has_value());
  EXPECT_TRUE(rule.afterExit(twice, 1, milliseconds(5)).has_value());
  EXPECT_FALSE(rule.afterExit(twice, 1, milliseconds(5)).has_value());
  EXPECT_EQ(rule.restarts(), 2U);
}

TEST(RestartRule, NoMeansNo) {
  RestartRule rule;
  EXPECT_FALSE(rule.afterExit({"no", 0}, 1, milliseconds(5)).has_value());
  EXPECT_FALSE(rule.afterExit({"", 0}, 1, milliseconds(5)).has_value());
}

}  // namespace
}  // namespace flotilla::engine::shim
