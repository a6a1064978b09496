#include "engine/shim/user_lookup.h"

#include <gtest/gtest.h>

namespace flotilla::engine::shim {
namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "\n"
    "broken\n"
    "huge:x:99999999999999999999:1::/:\n"
    "user:x:1000:1001::/home/user:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\nwheel:x:10:root,user\nstaff:x:50:user\nlast:x:77:useruser";

using Groups = std::vector<std::uint32_t>;

std::string message(const Result<ResolvedUser>& result) {
  return result ? "no error" : result.error().message();
}

TEST(UserLookup, EmptyIsRootWithItsGroups) {
  const auto user = resolveUser("", {}, kPasswd, kGroup);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->uid, 0U);
  EXPECT_EQ(user->groups, (Groups{0, 10}));
}

TEST(UserLookup, FindsNamesAndNumbers) {
  for (const char* name : {"user", "1000"}) {
    const auto user = resolveUser(name, {}, kPasswd, kGroup);
    ASSERT_TRUE(user.has_value());
    EXPECT_EQ(user->uid, 1000U);
    EXPECT_EQ(user->gid, 1001U);
    EXPECT_EQ(user->groups, (Groups{1001, 10, 50}));
  }
}

TEST(UserLookup, AnExplicitGroupReplacesTheOthers) {
  const auto user = resolveUser("user:staff", {}, kPasswd, kGroup);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->gid, 50U);
  EXPECT_EQ(user->groups, (Groups{50}));
}

TEST(UserLookup, NumbersNeedNoEntry) {
  const auto user = resolveUser("4000:5000", {"6000", "wheel"}, "", kGroup);
  ASSERT_TRUE(user.has_value());
  EXPECT_EQ(user->uid, 4000U);
  EXPECT_EQ(user->gid, 5000U);
  EXPECT_EQ(user->groups, (Groups{5000, 6000, 10}));
}

TEST(UserLookup, FailsInDockersWords) {
  EXPECT_EQ(message(resolveUser("nosuch", {}, kPasswd, kGroup)),
            "unable to find user nosuch: no matching entries in passwd file");
  EXPECT_EQ(message(resolveUser("0:nosuch", {}, kPasswd, kGroup)),
            "unable to find group nosuch: no matching entries in group file");
  EXPECT_EQ(message(resolveUser("", {"nosuch"}, kPasswd, kGroup)),
            "unable to find group nosuch: no matching entries in group file");
  EXPECT_EQ(message(resolveUser("2147483648", {}, kPasswd, kGroup)),
            "uids and gids must be in range 0-2147483647");
}

}  // namespace
}  // namespace flotilla::engine::shim
