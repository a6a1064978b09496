#include "engine/images/image_filters.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

TEST(Filters, BothShapesAndTheirRefusals) {
  EXPECT_EQ(parseFilters(R"({"label":["a","b"]})", {"label"}).value().at("label").size(), 2U);
  EXPECT_EQ(parseFilters(R"({"label":{"a":true}})", {"label"}).value().at("label").front(), "a");
  EXPECT_TRUE(parseFilters("", {}).value().empty());
  EXPECT_EQ(parseFilters(R"({"foo":["x"]})", {"label"}).error().message(), "invalid filter 'foo'");
  for (const char* bad : {"x", "[\"a\"]", R"({"label":7})", R"({"label":[7]})"}) {
    EXPECT_EQ(parseFilters(bad, {"label"}).error().message(), "invalid filter") << bad;
  }
}

TEST(Filters, PatternsAsGoMatchesPaths) {
  const auto match = [](const char* pattern, const char* name) {
    return matchPattern(pattern, name).value();
  };
  EXPECT_TRUE(match("b*", "busybox"));
  EXPECT_TRUE(match("*:1", "busybox:1"));
  EXPECT_TRUE(match("a*b*c", "aXbbc"));
  EXPECT_FALSE(match("b*", "b/x"));
  EXPECT_TRUE(match("*/x", "b/x"));
  EXPECT_TRUE(match("[a-c]?", "bz"));
  EXPECT_FALSE(match("[^a-c]?", "bz"));
  EXPECT_TRUE(match("a\\*", "a*"));
  EXPECT_FALSE(match("", "a"));
  for (const char* bad : {"x:[", "[", "a[]", "[a-]", "\\"}) {
    EXPECT_EQ(matchPattern(bad, "x:y").error().message(), "syntax error in pattern") << bad;
  }
}

TEST(Filters, Times) {
  constexpr std::int64_t kNow = 1'700'000'000'000'000'000;
  EXPECT_EQ(parseFilterTime("1h30m", kNow).value(), kNow - 5'400'000'000'000);
  EXPECT_EQ(parseFilterTime("1600000000", kNow).value(), 1'600'000'000'000'000'000);
  EXPECT_EQ(parseFilterTime("2020-09-13T12:26:40Z", kNow).value(), 1'600'000'000'000'000'000);
  EXPECT_EQ(parseFilterTime("2020-09-13T14:26:40+02:00", kNow).value(), 1'600'000'000'000'000'000);
  EXPECT_EQ(parseFilterTime("x", kNow).error().message(),
            "failed to parse value as time or duration: \"x\"");
}

}  // namespace
}  // namespace flotilla::engine
