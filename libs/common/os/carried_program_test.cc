#include "common/os/carried_program.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/os/random.h"

namespace flotilla {
namespace {

namespace fs = std::filesystem;

TEST(CarriedProgram, RunsByTheLoaderInItsFolder) {
  const fs::path folder = fs::temp_directory_path() / ("carried-program-" + randomHex(8));
  fs::create_directory(folder);
  const std::string program = folder / "crun";
  EXPECT_EQ(commandOf(program), std::vector<std::string>{program});
  const std::string loader = folder / "ld.so";
  std::ofstream(loader) << "no program";
  EXPECT_EQ(commandOf(program), std::vector<std::string>{program});  // cannot be executed
  fs::permissions(loader, fs::perms::owner_all);
  EXPECT_EQ(commandOf(program), std::vector<std::string>{program});  // without its libraries
  fs::create_directory(folder / "lib");
  EXPECT_EQ(commandOf(program),
            (std::vector<std::string>{loader, "--library-path", folder / "lib", program}));
  fs::remove_all(folder);
}

TEST(CarriedProgram, LeavesNamesWithoutAFolderAlone) {
  EXPECT_EQ(commandOf("crun"), std::vector<std::string>{"crun"});
}

}  // namespace
}  // namespace flotilla
