#include "common/config/duration.h"

#include <gtest/gtest.h>

#include <string>

namespace flotilla::config {
namespace {

TEST(Duration, ReadsWhatGoReads) {
  using std::chrono::milliseconds;
  EXPECT_EQ(parseDuration("60s").value(), milliseconds(60'000));
  EXPECT_EQ(parseDuration("1h2m3.5s").value(), milliseconds(3'723'500));
  EXPECT_EQ(parseDuration("500ms").value(), milliseconds(500));
  EXPECT_EQ(parseDuration("0").value(), milliseconds(0));
  for (const char* bad : {"", "60", "s", "1x", "1s2", ".s", "-1s"}) {
    EXPECT_EQ(parseDuration(bad).error().message(),
              "time: invalid duration \"" + std::string(bad) + "\"");
  }
}

}  // namespace
}  // namespace flotilla::config
