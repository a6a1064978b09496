#include "cli/client/endpoint.h"

#include <gtest/gtest.h>

namespace flotilla::cli {
namespace {

TEST(Endpoint, ReadsUnixSocketsWithAndWithoutScheme) {
  const auto with_scheme = Endpoint::parse("unix:///run/x.sock");
  ASSERT_TRUE(with_scheme);
  EXPECT_EQ(with_scheme->kind, Endpoint::Kind::Unix);
  EXPECT_EQ(with_scheme->path, "/run/x.sock");
  EXPECT_EQ(with_scheme->text(), "unix:///run/x.sock");
  EXPECT_EQ(Endpoint::parse("/run/x.sock")->path, "/run/x.sock");
}

TEST(Endpoint, ReadsHostsPortsAndIpv6Literals) {
  EXPECT_EQ(Endpoint::parse("tcp://10.0.0.1:99")->hostHeader(), "10.0.0.1:99");
  EXPECT_EQ(Endpoint::parse("tcp://[::1]:99")->host, "::1");
  EXPECT_EQ(Endpoint::parse("tcp://[::1]:99")->hostHeader(), "[::1]:99");
  EXPECT_EQ(Endpoint::parse("tcp://h:1/ignored")->port, 1);
}

TEST(Endpoint, DefaultPortDependsOnTls) {
  EXPECT_EQ(Endpoint::parse("tcp://h")->port, 2375);
  EXPECT_EQ(Endpoint::parse("tcp://h", {.enabled = true})->port, 2376);
}

TEST(Endpoint, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"", "ftp://h", "unix://relative", "tcp://h:x", "tcp://h:70000",
                           "tcp://h:0", "tcp://[::1", "tcp://[::1]99"}) {
    const auto parsed = Endpoint::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().kind(), ErrorKind::InvalidArgument);
  }
}

}  // namespace
}  // namespace flotilla::cli
