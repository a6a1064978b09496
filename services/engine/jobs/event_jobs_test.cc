#include "engine/jobs/event_jobs.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

TEST(EventTimestamp, SecondsWithAndWithoutFraction) {
  EXPECT_EQ(parseTimestamp("12").value(), 12'000'000'000);
  EXPECT_EQ(parseTimestamp("12.5").value(), 12'500'000'000);
  EXPECT_EQ(parseTimestamp("12.0000000019").value(), 12'000'000'001);
  EXPECT_EQ(parseTimestamp("-1").value(), -1'000'000'000);
}

TEST(EventTimestamp, WhatNanosecondsCannotReachIsFarAway) {
  constexpr std::int64_t kCentury = 100LL * 365 * 86'400 * 1'000'000'000;
  EXPECT_GT(parseTimestamp("9223372036854775807").value(), kCentury);
  EXPECT_GT(parseTimestamp("9223372036.999999999").value(), kCentury);
  EXPECT_LT(parseTimestamp("-9223372036854775808").value(), -kCentury);
}

TEST(EventTimestamp, RefusesWhatIsNoNumber) {
  for (const char* text : {"", "x", "1x", "1.x", "99999999999999999999"}) {
    EXPECT_EQ(parseTimestamp(text).error().kind(), ErrorKind::InvalidArgument) << text;
  }
}

}  // namespace
}  // namespace flotilla::engine
