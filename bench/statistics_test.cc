#include "bench/statistics.h"

#include <gtest/gtest.h>

namespace flotilla::bench {
namespace {

Samples oneTo(int last) {
  Samples samples;
  for (int value = last; value >= 1; --value) {
    samples.add(value);
  }
  return samples;
}

TEST(Samples, PercentilesAreNearestRank) {
  EXPECT_EQ(oneTo(100).percentile(0.99), 99);
  EXPECT_EQ(oneTo(100).median(), 50);
  EXPECT_EQ(oneTo(3).median(), 2);
  EXPECT_EQ(oneTo(10).percentile(0.99), 10);
  EXPECT_EQ(oneTo(10).percentile(0), 1);
}

TEST(Samples, EmptyIsZeroAndMergingKeepsAll) {
  EXPECT_EQ(Samples().median(), 0);
  Samples all = oneTo(2);
  all.add(oneTo(3));
  EXPECT_EQ(all.count(), 5U);
  EXPECT_EQ(all.sum(), 9);
}

}  // namespace
}  // namespace flotilla::bench
