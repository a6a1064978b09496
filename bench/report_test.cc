#include "bench/report.h"

#include <gtest/gtest.h>

namespace flotilla::bench {
namespace {

TEST(Report, RatioSaysHowManyTimesBetterAIs) {
  EXPECT_EQ((Row{.figure = "t", .unit = "ms", .a = 2, .b = 10}.ratio()), 5);
  EXPECT_EQ((Row{.figure = "r", .unit = "1/s", .a = 2, .b = 10, .better = Better::Higher}.ratio()),
            0.2);
  EXPECT_EQ((Row{.figure = "n", .unit = "ms", .a = 0, .b = 10}.ratio()), 0);
}

TEST(Report, WritesMarkdown) {
  Report report("ours", "theirs");
  report.add({.figure = "run", .unit = "ms", .a = 20, .b = 240});
  EXPECT_EQ(report.markdown(),
            "| figure | unit | ours | theirs | ratio |\n| --- | --- | ---: | ---: | ---: |\n"
            "| run | ms | 20.0 | 240 | 12.0x |\n");
}

}  // namespace
}  // namespace flotilla::bench
