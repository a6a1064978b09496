#include "engine/shim/detach_keys.h"

#include <gtest/gtest.h>

namespace flotilla::engine::shim {
namespace {

TEST(DetachKeys, FindsTheDefaultSequence) {
  DetachKeys keys("");
  std::string out;
  EXPECT_FALSE(keys.feed("ab\x10", out));
  EXPECT_EQ(out, "ab");
  EXPECT_TRUE(keys.feed("\x11rest", out));
  EXPECT_EQ(out, "ab");
}

TEST(DetachKeys, PassesABrokenSequenceOn) {
  DetachKeys keys("");
  std::string out;
  EXPECT_FALSE(keys.feed("\x10x", out));
  EXPECT_EQ(out, "\x10x");
  out.clear();
  EXPECT_FALSE(keys.feed("\x10\x10", out));
  EXPECT_EQ(out, "\x10");
  EXPECT_TRUE(keys.feed("\x11", out));
}

TEST(DetachKeys, TakesOtherKeys) {
  DetachKeys keys("ab");
  std::string out;
  EXPECT_FALSE(keys.feed("xa", out));
  EXPECT_TRUE(keys.feed("b", out));
  EXPECT_EQ(out, "x");
}

}  // namespace
}  // namespace flotilla::engine::shim
