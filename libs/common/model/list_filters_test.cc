#include "common/model/list_filters.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

TEST(ListFilters, TakesBothShapes) {
  EXPECT_TRUE(parseListFilters("").value().empty());
  EXPECT_EQ(parseListFilters(R"({"a":["x","y"]})").value(), (ListFilters{{"a", {"x", "y"}}}));
  EXPECT_EQ(parseListFilters(R"({"a":{"x":true,"y":false}})").value(), (ListFilters{{"a", {"x"}}}));
  for (const char* bad : {"x", "[]", R"({"a":1})", R"({"a":[1]})", R"({"a":{"x":1}})"}) {
    EXPECT_FALSE(parseListFilters(bad)) << bad;
  }
}

}  // namespace
}  // namespace flotilla::model
