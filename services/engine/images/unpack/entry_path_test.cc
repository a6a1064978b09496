#include "engine/images/unpack/entry_path.h"

#include <gtest/gtest.h>

#include <climits>

namespace flotilla::engine::unpack {
namespace {

TEST(EntryPath, SplitsAndNormalises) {
  const auto nested = parseEntryPath("./a//b/./c/").value();
  EXPECT_EQ(nested.parent, "a/b");
  EXPECT_EQ(nested.name, "c");
  const auto root = parseEntryPath("./").value();
  EXPECT_EQ(root.parent, "");
  EXPECT_EQ(root.name, "");
  EXPECT_EQ(parseEntryPath("..a").value().name, "..a");
}

TEST(EntryPath, RefusesWhatCouldLeaveTheLayer) {
  for (const std::string& bad :
       {std::string("../x"), std::string("a/../../x"), std::string("/etc/x"), std::string(""),
        std::string("a\0b", 3), std::string("a/.."), std::string(PATH_MAX, 'a'),
        std::string(NAME_MAX + 1, 'a')}) {
    const auto path = parseEntryPath(bad);
    ASSERT_FALSE(path) << bad;
    EXPECT_EQ(path.error().kind(), ErrorKind::InvalidArgument);
  }
  EXPECT_EQ(parseEntryPath("../../evil").error().message(), "invalid entry name \"../../evil\"");
  EXPECT_EQ(parseLinkTarget("../etc/passwd").error().message(),
            "invalid hardlink target \"../etc/passwd\"");
  EXPECT_FALSE(parseLinkTarget("."));
}

TEST(Whiteout, PlansByName) {
  EXPECT_EQ(planWhiteout("file").value().kind, Whiteout::None);
  EXPECT_EQ(planWhiteout(".wh.file").value().kind, Whiteout::Hide);
  EXPECT_EQ(planWhiteout(".wh.file").value().hidden, "file");
  EXPECT_EQ(planWhiteout(".wh..wh..opq").value().kind, Whiteout::Opaque);
  EXPECT_EQ(planWhiteout(".wh..wh.plnk").value().kind, Whiteout::Ignore);
  EXPECT_EQ(planWhiteout(".wh.").error().kind(), ErrorKind::InvalidArgument);
  EXPECT_EQ(planWhiteout(".wh...").error().kind(), ErrorKind::InvalidArgument);
}

}  // namespace
}  // namespace flotilla::engine::unpack
