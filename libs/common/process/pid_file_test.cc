#include "common/process/pid_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace flotilla::process {
namespace {

class PidFileTest : public ::testing::Test {
 protected:
  PidFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "flo-pid-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~PidFileTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path() const { return (folder_ / "daemon.pid").string(); }
  [[nodiscard]] std::string content() const {
    std::ifstream file(path());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

 private:
  std::filesystem::path folder_;
};

TEST_F(PidFileTest, HoldsThePidWhileItLivesAndIsRemoved) {
  {
    const auto file = PidFile::create(path());
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ(content(), std::to_string(::getpid()) + "\n");
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(PidFileTest, RefusesWhileAnotherDaemonOwnsIt) {
  const auto first = PidFile::create(path());
  ASSERT_TRUE(first.has_value());
  const auto second = PidFile::create(path());
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().kind(), ErrorKind::AlreadyExists);
  EXPECT_NE(second.error().message().find(std::to_string(::getpid())), std::string::npos);
  EXPECT_TRUE(std::filesystem::exists(path()));
}

TEST_F(PidFileTest, TakesOverWhatACrashLeft) {
  std::ofstream(path()) << "1\n";  // pid 1 lives, but holds no lock: it is no daemon of ours
  const auto file = PidFile::create(path());
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(content(), std::to_string(::getpid()) + "\n");
}

TEST_F(PidFileTest, NamesAPathItCannotWrite) {
  const auto file = PidFile::create("/nonexistent/daemon.pid");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message().find("/nonexistent/daemon.pid"), std::string::npos);
}

}  // namespace
}  // namespace flotilla::process
