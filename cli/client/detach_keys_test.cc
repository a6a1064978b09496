#include "cli/client/detach_keys.h"

#include <gtest/gtest.h>

namespace flotilla::cli {
namespace {

TEST(DetachKeys, DefaultSequenceDetachesAndIsNotForwarded) {
  auto keys = *DetachKeys::parse("");
  std::string forward;
  EXPECT_TRUE(keys.filter("ab\x10\x11", forward));
  EXPECT_EQ(forward, "ab");
}

TEST(DetachKeys, HoldsBackABegunSequenceAcrossPieces) {
  auto keys = *DetachKeys::parse("");
  std::string forward;
  EXPECT_FALSE(keys.filter("a\x10", forward));
  EXPECT_EQ(forward, "a");
  EXPECT_FALSE(keys.filter("b", forward));
  EXPECT_EQ(forward,
            "a\x10"
            "b");
  EXPECT_FALSE(keys.filter("\x10\x10", forward));
  EXPECT_TRUE(keys.filter("\x11", forward));
  EXPECT_EQ(forward,
            "a\x10"
            "b\x10");
}

TEST(DetachKeys, ReadsOtherSequencesAndRefusesUnknownKeys) {
  auto keys = *DetachKeys::parse("ctrl-a,d");
  std::string forward;
  EXPECT_TRUE(
      keys.filter("\x01"
                  "d",
                  forward));
  EXPECT_FALSE(DetachKeys::parse("ctrl-"));
  EXPECT_FALSE(DetachKeys::parse("alt-x"));
}

}  // namespace
}  // namespace flotilla::cli
