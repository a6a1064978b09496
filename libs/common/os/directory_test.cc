#include "common/os/directory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace flotilla {
namespace {

TEST(Directory, NamesAllThatIsInIt) {
  std::string dir = testing::TempDir() + "flotilla-directory-XXXXXX";
  ASSERT_NE(::mkdtemp(dir.data()), nullptr);
  EXPECT_TRUE(entryNames(dir)->empty());
  std::filesystem::create_directories(dir + "/sub/inner");
  std::filesystem::create_symlink("/nowhere", dir + "/.link");
  auto names = entryNames(dir).value();
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, (std::vector<std::string>{".link", "sub"}));
  std::filesystem::remove_all(dir);
}

TEST(Directory, SaysWhatCannotBeRead) {
  EXPECT_EQ(entryNames("/no/such/directory").error().sysErrno(), ENOENT);
  EXPECT_EQ(entryNames("/dev/null").error().sysErrno(), ENOTDIR);
}

}  // namespace
}  // namespace flotilla
