#include <gtest/gtest.h>

#include "registry-proxy/upstream/challenge.h"
#include "registry-proxy/upstream/credentials.h"
#include "registry-proxy/upstream/token_cache.h"

namespace flotilla::registry {
namespace {

TEST(Challenge, ReadsBearer) {
  const auto challenge = Challenge::parse(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push")");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->scheme, Challenge::Scheme::Bearer);
  EXPECT_EQ(challenge->realm, "https://auth.docker.io/token");
  EXPECT_EQ(challenge->service, "registry.docker.io");
  EXPECT_EQ(challenge->scope, "repository:a/b:pull,push");
}

TEST(Challenge, PrefersBearerAndForgivesSpaces) {
  const auto challenge =
      Challenge::parse(R"(Basic realm="x", bearer realm = "https://t" , service=s)");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->scheme, Challenge::Scheme::Bearer);
  EXPECT_EQ(challenge->service, "s");
  EXPECT_EQ(Challenge::parse("Basic")->scheme, Challenge::Scheme::Basic);
}

TEST(Challenge, SaysWhenTheRightIsMissing) {
  EXPECT_EQ(
      Challenge::parse(R"(Bearer realm="https://t",service="s",error="insufficient_scope")")->error,
      "insufficient_scope");
}

TEST(Challenge, IgnoresWhatItDoesNotKnow) {
  for (const char* header : {"", "Negotiate", "Digest realm=\"a\", nonce=\"b\"", "Bearer", "=,=\"",
                             "\"\"\"", "Bearer realm=\"\""}) {
    EXPECT_FALSE(Challenge::parse(header)) << header;
  }
}

TEST(Credentials, Base64BothWays) {
  const std::string binary("\0\xff\x7f", 3);
  for (const std::string& text : std::vector<std::string>{"", "a", "ab", "abc", "abcd", binary}) {
    EXPECT_EQ(decodeBase64(encodeBase64(text)).value(), text);
  }
  EXPECT_EQ(encodeBase64("user:pw"), "dXNlcjpwdw==");
  EXPECT_EQ(decodeBase64("_-8=").value(), decodeBase64("/+8").value());
  EXPECT_FALSE(decodeBase64("a b"));
}

TEST(Credentials, FromRegistryAuth) {
  const auto given =
      Credentials::fromRegistryAuth(encodeBase64(R"({"username":"u","password":"p"})"));
  EXPECT_EQ(given.basic(), "Basic " + encodeBase64("u:p"));
  EXPECT_EQ(Credentials::fromRegistryAuth(encodeBase64(R"({"auth":"dTpw"})")).user, "u");
  EXPECT_EQ(Credentials::fromRegistryAuth(encodeBase64(R"({"identitytoken":"t"})")).identity_token,
            "t");
  for (const std::string nothing : {"", "@@@", "e30=", "bnVsbA==", "WzFd"}) {
    EXPECT_TRUE(Credentials::fromRegistryAuth(nothing).empty()) << nothing;
  }
}

TEST(Credentials, FingerprintsTellCallersApart) {
  EXPECT_EQ(Credentials{}.fingerprint(), "");
  const Credentials one{.user = "a", .password = "bc"};
  const Credentials other{.user = "ab", .password = "c"};
  EXPECT_NE(one.fingerprint(), other.fingerprint());
  EXPECT_EQ(one.fingerprint().find("bc"), std::string::npos);
}

TEST(TokenCache, ForgetsInTime) {
  TokenCache cache;
  const auto now = TokenCache::Clock::now();
  cache.put("k", "Bearer t", now + std::chrono::seconds(10));
  EXPECT_EQ(cache.find("k", now), "Bearer t");
  EXPECT_EQ(cache.find("other", now), std::nullopt);
  EXPECT_EQ(cache.find("k", now + std::chrono::seconds(11)), std::nullopt);
}

}  // namespace
}  // namespace flotilla::registry
