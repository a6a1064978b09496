#include "engine/store/bell.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "common/testing/loop.h"

namespace flotilla::engine {
namespace {

TEST(Bell, EveryWorkerHearsEveryOther) {
  std::string folder = (std::filesystem::temp_directory_path() / "flo-bell-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto reactor = Reactor::create().value();
  int first = 0;
  int second = 0;
  {
    const auto a = Bell::hang(*reactor, folder + "/bell", [&first] { ++first; }).value();
    const auto b = Bell::hang(*reactor, folder + "/bell", [&second] { ++second; }).value();
    a->ring();
    EXPECT_TRUE(testing::runUntil(*reactor, [&] { return first > 0 && second > 0; }));
    const int before = second;
    b->ring();
    b->ring();
    EXPECT_TRUE(testing::runUntil(*reactor, [&] { return second > before && first > 1; }));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace flotilla::engine
