#include "engine/network/ipv4.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

Ipv4Prefix prefix(std::string_view text) { return Ipv4Prefix::parse(text).value(); }

TEST(Ipv4, ParsesDottedQuadsOnly) {
  EXPECT_EQ(Ipv4::parse("172.17.0.2")->value, 0xac110002U);
  EXPECT_EQ(Ipv4::parse("172.17.0.2")->text(), "172.17.0.2");
  for (const char* bad :
       {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ", "::1", "a.b.c.d"}) {
    EXPECT_FALSE(Ipv4::parse(bad)) << bad;
  }
}

TEST(Ipv4Prefix, KeepsHostBitsAndKnowsItsEnds) {
  const auto bip = prefix("172.17.5.1/16");
  EXPECT_EQ(bip.text(), "172.17.5.1/16");
  EXPECT_EQ(bip.network().text(), "172.17.0.0/16");
  EXPECT_EQ(bip.broadcast().text(), "172.17.255.255");
  EXPECT_TRUE(bip.contains(*Ipv4::parse("172.17.200.9")));
  EXPECT_FALSE(bip.contains(*Ipv4::parse("172.18.0.1")));
}

TEST(Ipv4Prefix, RefusesBadTexts) {
  for (const char* bad :
       {"172.17.0.1", "172.17.0.1/", "172.17.0.1/33", "172.17.0.1/-1", "/16", "x/16"}) {
    EXPECT_FALSE(Ipv4Prefix::parse(bad)) << bad;
  }
}

TEST(Ipv4Prefix, OverlapsEitherWay) {
  EXPECT_TRUE(prefix("10.0.0.0/8").overlaps(prefix("10.1.2.0/24")));
  EXPECT_TRUE(prefix("10.1.2.0/24").overlaps(prefix("10.0.0.0/8")));
  EXPECT_FALSE(prefix("10.1.2.0/24").overlaps(prefix("10.1.3.0/24")));
}

TEST(Mac, FollowsTheAddress) {
  EXPECT_EQ(macFor(*Ipv4::parse("172.17.0.2")), "02:42:ac:11:00:02");
  EXPECT_EQ(macFor(*Ipv4::parse("192.168.255.1")), "02:42:c0:a8:ff:01");
}

TEST(Mac, ParsesUnicastAddressesOnly) {
  EXPECT_EQ(parseMac("02:42:ac:11:00:ff"),
            (std::vector<std::uint8_t>{2, 0x42, 0xac, 0x11, 0, 0xff}));
  for (const char* bad : {"", "02:42:ac:11:00", "02:42:ac:11:00:0g", "02-42-ac-11-00-02",
                          "01:42:ac:11:00:02", "00:00:00:00:00:00", "02:42:ac:11:00:02:"}) {
    EXPECT_FALSE(parseMac(bad)) << bad;
  }
}

TEST(ChooseSubnet, TakesTheFirstThatNoRouteTouches) {
  EXPECT_EQ(chooseSubnet({})->text(), "172.17.0.0/16");
  EXPECT_EQ(chooseSubnet({prefix("0.0.0.0/0"), prefix("192.0.2.0/24")})->text(), "172.17.0.0/16");
  EXPECT_EQ(chooseSubnet({prefix("172.17.3.0/24"), prefix("172.18.0.0/16")})->text(),
            "172.19.0.0/16");
}

TEST(ChooseSubnet, FallsBackToSmallOnesThenGivesUp) {
  EXPECT_EQ(chooseSubnet({prefix("172.16.0.0/12")})->text(), "192.168.0.0/20");
  EXPECT_EQ(chooseSubnet({prefix("172.16.0.0/12"), prefix("192.168.1.0/24")})->text(),
            "192.168.16.0/20");
  EXPECT_FALSE(chooseSubnet({prefix("172.16.0.0/12"), prefix("192.168.0.0/16")}));
}

}  // namespace
}  // namespace flotilla::engine
