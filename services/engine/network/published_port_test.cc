#include "engine/network/published_port.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

const PortBinding kAny{"tcp", 80, "0.0.0.0", 8080};
const PortBinding kAny6{"tcp", 80, "::", 8080};
const PortBinding kLocal{"udp", 53, "127.0.0.1", 5353};

TEST(Bindings, SurviveTheirRecord) {
  const std::vector<PortBinding> bindings{kAny, kAny6, kLocal};
  EXPECT_EQ(encodeBindings(bindings), "tcp 0.0.0.0 8080 80;tcp :: 8080 80;udp 127.0.0.1 5353 53");
  EXPECT_EQ(decodeBindings(encodeBindings(bindings)), bindings);
  EXPECT_EQ(encodeBindings({}), "");
  EXPECT_TRUE(decodeBindings("").empty());
}

TEST(Bindings, LeaveOutWhatCannotBeRead) {
  EXPECT_EQ(decodeBindings("x;tcp 0.0.0.0 99999 80;tcp 0.0.0.0 8080 80 9;tcp 0.0.0.0 8080 80"),
            std::vector<PortBinding>{kAny});
}

TEST(Bindings, OverlapWhenOneAddressCoversTheOther) {
  const PortBinding local{"tcp", 1, "127.0.0.1", 8080};
  EXPECT_TRUE(bindingsOverlap(kAny, kAny));
  EXPECT_TRUE(bindingsOverlap(kAny, local));
  EXPECT_TRUE(bindingsOverlap(local, kAny));
  EXPECT_FALSE(bindingsOverlap(local, {"tcp", 1, "127.0.0.2", 8080}));
  EXPECT_FALSE(bindingsOverlap(kAny, kAny6));
  EXPECT_FALSE(bindingsOverlap(kAny, {"udp", 80, "0.0.0.0", 8080}));
  EXPECT_FALSE(bindingsOverlap(kAny, {"tcp", 80, "0.0.0.0", 8081}));
  EXPECT_TRUE(bindingsOverlap(kAny6, {"tcp", 80, "::1", 8080}));
}

}  // namespace
}  // namespace flotilla::engine
