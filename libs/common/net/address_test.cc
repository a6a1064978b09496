#include "common/net/address.h"

#include <gtest/gtest.h>

namespace flotilla::net {
namespace {

TEST(Address, ParsesEveryForm) {
  auto unix_path = Address::parse("unix:///run/flotilla.sock");
  ASSERT_TRUE(unix_path);
  EXPECT_EQ(unix_path->kind, Address::Kind::Unix);
  EXPECT_EQ(unix_path->path, "/run/flotilla.sock");
  EXPECT_EQ(Address::parse("unix:/run/x")->path, "/run/x");

  auto tcp = Address::parse("tcp://10.0.0.1:4711");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->host, "10.0.0.1");
  EXPECT_EQ(tcp->port, 4711);
  EXPECT_EQ(Address::parse("tcp:127.0.0.1:80")->port, 80);
  EXPECT_EQ(Address::parse("tcp://[::1]:99")->host, "::1");
  EXPECT_EQ(Address::parse("tcp://[::1]")->port, 2375);
  EXPECT_EQ(Address::parse("tcp://host/", 2376)->port, 2376);
  EXPECT_EQ(Address::parse("tcp://:1")->host, "localhost");

  EXPECT_EQ(Address::parse("fd://")->kind, Address::Kind::Inherited);
  EXPECT_EQ(Address::parse("fd://api")->host, "api");
}

TEST(Address, RoundTripsThroughText) {
  for (const char* text : {"unix:///a/b", "tcp://h:1", "tcp://[fe80::1]:2", "fd://", "fd://x"}) {
    EXPECT_EQ(Address::parse(text)->toString(), text);
  }
}

TEST(Address, RefusesNonsenseByName) {
  for (const char* text :
       {"", "unix://", "unix://relative", "tcp://h:", "tcp://h:x", "tcp://h:65536", "tcp://h:-1",
        "tcp://[::1", "tcp://[::1]x", "tcp://a/b:1", "http://h:1", "/run/x", "tcp://user@h:1",
        "tcp://::1:80"}) {
    auto address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().kind(), ErrorKind::InvalidArgument);
    EXPECT_NE(address.error().message().find(text), std::string::npos);
  }
  EXPECT_FALSE(Address::parse("unix:///" + std::string(107, 'x')));
  EXPECT_TRUE(Address::parse("unix:///" + std::string(106, 'x')));
  EXPECT_FALSE(Address::parse(std::string_view("unix:///a\0b", 11)));
}

}  // namespace
}  // namespace flotilla::net
