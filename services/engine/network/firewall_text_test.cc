#include "engine/network/firewall_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

const FirewallSpec kSpec{"flo-t", "flo0", *Ipv4Prefix::parse("172.20.0.1/16")};
const Ipv4 kContainer = *Ipv4::parse("172.20.0.2");

TEST(FirewallText, PublishesAnElementAPort) {
  const std::vector<PublishedPort> ports{{{"tcp", 80, "0.0.0.0", 8080}, kContainer},
                                         {{"tcp", 80, "::", 8080}, kContainer},
                                         {{"udp", 53, "127.0.0.1", 5353}, kContainer},
                                         {{"tcp", 81, "0.0.0.0", 8081}, kContainer}};
  EXPECT_EQ(publishText(kSpec, ports),
            "add element inet flo-t ports { udp . 127.0.0.1 . 5353 : 172.20.0.2 . 53 }\n"
            "add element inet flo-t ports_any { tcp . 8080 : 172.20.0.2 . 80, tcp . 8081 : "
            "172.20.0.2 . 81 }\n");
}

TEST(FirewallText, WithdrawsWhetherPresentOrNot) {
  EXPECT_EQ(withdrawText(kSpec, {{{"tcp", 80, "0.0.0.0", 8080}, kContainer}}),
            "add element inet flo-t ports_any { tcp . 8080 : 172.20.0.2 . 80 }\n"
            "delete element inet flo-t ports_any { tcp . 8080 : 172.20.0.2 . 80 }\n");
}

TEST(FirewallText, HasNothingToSayWithoutIpv4Ports) {
  EXPECT_EQ(publishText(kSpec, {}), "");
  EXPECT_EQ(withdrawText(kSpec, {{{"tcp", 80, "::1", 8080}, kContainer}}), "");
}

TEST(FirewallText, GuardsLoopbackFirst) {
  const auto text = tableText(kSpec, {});
  EXPECT_THAT(text, Not(HasSubstr("@table")));
  EXPECT_THAT(text, Not(HasSubstr("@subnet")));
  EXPECT_THAT(text, HasSubstr("delete table inet flo-t\n"));
  const auto guard = text.find("iifname != \"lo\" ip daddr 127.0.0.0/8 drop");
  ASSERT_NE(guard, std::string::npos);
  EXPECT_LT(guard, text.find("dnat ip to"));
  EXPECT_THAT(text, HasSubstr("ip daddr 172.20.0.0/16 ip daddr != 172.20.0.1 drop"));
}

}  // namespace
}  // namespace flotilla::engine
