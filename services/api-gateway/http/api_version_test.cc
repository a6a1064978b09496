#include "api-gateway/http/api_version.h"

#include <gtest/gtest.h>

namespace flotilla::gateway {
namespace {

std::string refusal(std::string_view version) {
  const auto result = negotiateVersion(version);
  return result ? "accepted" : result.error().message();
}

TEST(ApiVersion, AcceptsTheSupportedRange) {
  EXPECT_EQ(*negotiateVersion(""), kNewestApiVersion);
  EXPECT_EQ(*negotiateVersion("1.24"), kOldestApiVersion);
  EXPECT_EQ(*negotiateVersion("1.41"), (ApiVersion{1, 41}));
  EXPECT_EQ(*negotiateVersion("1.51"), kNewestApiVersion);
}

TEST(ApiVersion, RefusesTheRestInDockersWords) {
  EXPECT_EQ(refusal("1.52"),
            "client version 1.52 is too new. Maximum supported API version is 1.51");
  EXPECT_EQ(refusal("1.51.1"),
            "client version 1.51.1 is too new. Maximum supported API version is 1.51");
  EXPECT_EQ(refusal("1.20"),
            "client version 1.20 is too old. Minimum supported API version is 1.24, please upgrade "
            "your client to a newer version");
  EXPECT_EQ(refusal("1").substr(0, 27), "client version 1 is too old");
  EXPECT_EQ(refusal("...").substr(0, 29), "client version ... is too old");
  EXPECT_EQ(refusal("99999999999999999999.1").substr(0, 15), "client version ");
}

TEST(ApiVersion, KnowsWhoNeedsPlainText) {
  EXPECT_TRUE(isOlderThanSupported("1.20"));
  EXPECT_TRUE(isOlderThanSupported("1"));
  EXPECT_FALSE(isOlderThanSupported("1.24"));
  EXPECT_FALSE(isOlderThanSupported("1.52"));
  EXPECT_FALSE(isOlderThanSupported(""));
}

}  // namespace
}  // namespace flotilla::gateway
