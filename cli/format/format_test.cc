#include <gtest/gtest.h>

#include "cli/format/table.h"
#include "cli/format/units.h"

namespace flotilla::cli {
namespace {

TEST(Table, AlignsColumnsByTheirWidestCell) {
  Table table({"ID", "NAME"});
  table.add({"0123456789abcdef", "x"});
  table.add({"é", "y"});
  EXPECT_EQ(table.text(), "ID                 NAME\n0123456789abcdef   x\né                  y\n");
}

TEST(Table, ShortensByCharactersNotBytes) {
  EXPECT_EQ(shortened("abcdef", 4), "abc…");
  EXPECT_EQ(shortened("éééé", 4), "éééé");
  EXPECT_EQ(shortened("ééééé", 4), "ééé…");
}

TEST(Units, SpansInDockersWords) {
  const std::pair<std::int64_t, const char*> cases[] = {
      {0, "Less than a second"}, {1, "1 second"},          {59, "59 seconds"},
      {60, "About a minute"},    {120, "2 minutes"},       {3600, "About an hour"},
      {7200, "2 hours"},         {47 * 3600, "47 hours"},  {48 * 3600, "2 days"},
      {14 * 86400, "2 weeks"},   {90 * 86400, "3 months"}, {800 * 86400, "2 years"}};
  for (const auto& [seconds, text] : cases) {
    EXPECT_EQ(humanDuration(seconds), text);
  }
}

TEST(Units, Sizes) {
  EXPECT_EQ(humanSize(0), "0B");
  EXPECT_EQ(humanSize(1'980'000), "1.98MB");
  EXPECT_EQ(binarySize(1536), "1.5KiB");
}

TEST(Units, ReadsTimesWithFractionsAndOffsets) {
  EXPECT_EQ(parseTime("1970-01-01T00:01:00Z"), 60);
  EXPECT_EQ(parseTime("1970-01-01T00:01:00.123456789Z"), 60);
  EXPECT_EQ(parseTime("1970-01-01T02:01:00+02:00"), 60);
  EXPECT_FALSE(parseTime("yesterday"));
  EXPECT_FALSE(parseTime("1970-01-01T00:01:00.1X"));
}

TEST(Units, TimeArgumentsAreSpansTimesOrSeconds) {
  EXPECT_EQ(*timeArgument("since", "1h30m", 10000), "4600");
  EXPECT_EQ(*timeArgument("since", "1970-01-02", 0), "86400");
  EXPECT_EQ(*timeArgument("since", "12.5", 0), "12.5");
  EXPECT_EQ(timeArgument("since", "wrong", 0).error().message(),
            "invalid value for \"since\": failed to parse value as time or duration: \"wrong\"");
}

}  // namespace
}  // namespace flotilla::cli
