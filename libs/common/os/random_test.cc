#include "common/os/random.h"

#include <gtest/gtest.h>

#include <set>

namespace flotilla {
namespace {

TEST(RandomHex, HasTwoLowerCaseDigitsAByte) {
  const auto text = randomHex(32);
  EXPECT_EQ(text.size(), 64U);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_EQ(randomHex(0), "");
}

TEST(RandomHex, DoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(randomHex(16)).second);
  }
}

}  // namespace
}  // namespace flotilla
