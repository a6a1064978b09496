#include "common/model/signal_name.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

TEST(ParseSignal, KnowsNamesAndNumbers) {
  EXPECT_EQ(parseSignal("KILL").value(), 9);
  EXPECT_EQ(parseSignal("sigterm").value(), 15);
  EXPECT_EQ(parseSignal("9").value(), 9);
  EXPECT_EQ(parseSignal("RTMIN").value(), 34);
  EXPECT_EQ(parseSignal("SIGRTMIN+3").value(), 37);
  EXPECT_EQ(parseSignal("RTMAX-1").value(), 63);
}

TEST(ParseSignal, RefusesTheRest) {
  for (const char* bad :
       {"", "FOO", "0", "-1", "RTMIN-1", "RTMAX+1", "RTMIN+", "RTMIN+99", "SIG"}) {
    EXPECT_EQ(parseSignal(bad).error().message(), std::string("invalid signal: ") + bad);
  }
}

}  // namespace
}  // namespace flotilla::model
