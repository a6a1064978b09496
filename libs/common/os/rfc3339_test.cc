#include "common/os/rfc3339.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(Rfc3339, DropsTrailingZerosAsGoDoes) {
  EXPECT_EQ(rfc3339(1795314977084444630), "2026-11-22T02:36:17.08444463Z");
  EXPECT_EQ(rfc3339(1795314977500000000), "2026-11-22T02:36:17.5Z");
  EXPECT_EQ(rfc3339(1795314977000000001), "2026-11-22T02:36:17.000000001Z");
  EXPECT_EQ(rfc3339(1795314977000000000), "2026-11-22T02:36:17Z");
}

TEST(Rfc3339, HandlesTheEpochAndBefore) {
  EXPECT_EQ(rfc3339(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(rfc3339Seconds(1795314977), "2026-11-22T02:36:17Z");
}

TEST(Rfc3339, WallClockIsOfThisCentury) {
  EXPECT_GT(wallClockNanoseconds(), 1'600'000'000'000'000'000);
}

}  // namespace
}  // namespace flotilla
