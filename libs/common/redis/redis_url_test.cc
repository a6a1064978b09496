#include "common/redis/redis_url.h"

#include <gtest/gtest.h>

namespace flotilla {
namespace {

TEST(RedisUrl, HostPortUserPasswordDatabase) {
  const auto url = RedisUrl::parse("redis://me:s%40cret@10.0.0.1:7000/3").value();
  EXPECT_EQ(url.address.toString(), "tcp://10.0.0.1:7000");
  EXPECT_FALSE(url.tls);
  EXPECT_EQ(url.user, "me");
  EXPECT_EQ(url.password, "s@cret");
  EXPECT_EQ(url.database, 3);
  EXPECT_EQ(url.shown(), "redis://10.0.0.1:7000 database 3");
}

TEST(RedisUrl, DefaultsAndPasswordOnly) {
  EXPECT_EQ(RedisUrl::parse("redis://redis").value().address.port, 6379);
  const auto url = RedisUrl::parse("redis://:a:b@host/").value();
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(url.password, "a:b");
  EXPECT_EQ(url.address.host, "host");
  EXPECT_EQ(RedisUrl::parse("redis://[::1]:1").value().address.host, "::1");
}

TEST(RedisUrl, TlsWithFiles) {
  const auto url =
      RedisUrl::parse("rediss://h:1?cacert=/ca.pem&cert=/c.pem&key=/k.pem&password-file=/p")
          .value();
  EXPECT_TRUE(url.tls);
  EXPECT_EQ(url.ca_file, "/ca.pem");
  EXPECT_EQ(url.cert_file, "/c.pem");
  EXPECT_EQ(url.key_file, "/k.pem");
  EXPECT_EQ(url.password_file, "/p");
  EXPECT_EQ(url.shown(), "rediss://h:1");
}

TEST(RedisUrl, UnixSockets) {
  for (const auto* text : {"unix:///run/redis.sock?db=2", "redis+unix:///run/redis.sock?db=2"}) {
    const auto url = RedisUrl::parse(text).value();
    EXPECT_EQ(url.address.path, "/run/redis.sock");
    EXPECT_EQ(url.database, 2);
  }
  const auto url = RedisUrl::parse("unix://u:p@/run/r.sock").value();
  EXPECT_EQ(url.user, "u");
  EXPECT_EQ(url.address.path, "/run/r.sock");
}

TEST(RedisUrl, RefusesByNameAndKeepsThePasswordToItself) {
  const auto refusal = [](const char* text) {
    const auto url = RedisUrl::parse(text);
    EXPECT_FALSE(url) << text;
    return url ? std::string() : url.error().message();
  };
  EXPECT_NE(refusal("redis+sentinel://h:1/mymaster").find("Sentinel"), std::string::npos);
  EXPECT_NE(refusal("sentinel://h:1").find("Sentinel"), std::string::npos);
  EXPECT_NE(refusal("http://h").find("http"), std::string::npos);
  EXPECT_NE(refusal("h:6379").find("scheme"), std::string::npos);
  EXPECT_NE(refusal("redis://h/x").find("database"), std::string::npos);
  EXPECT_NE(refusal("redis://h?colour=red").find("colour"), std::string::npos);
  EXPECT_NE(refusal("redis://h?cacert=/x").find("rediss"), std::string::npos);
  EXPECT_NE(refusal("unix://relative.sock").find("path"), std::string::npos);
  EXPECT_EQ(refusal("redis://u:topsecret@h:bad").find("topsecret"), std::string::npos);
  EXPECT_NE(refusal("redis://u:%zz@h").find("hex"), std::string::npos);
}

}  // namespace
}  // namespace flotilla
