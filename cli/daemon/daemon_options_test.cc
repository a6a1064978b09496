#include "cli/daemon/daemon_options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace flotilla::daemon {
namespace {

class DaemonOptionsTest : public ::testing::Test {
 protected:
  DaemonOptionsTest() {
    std::string name = (std::filesystem::temp_directory_path() / "flo-options-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~DaemonOptionsTest() override { std::filesystem::remove_all(folder_); }

  std::string config(const std::string& text) {
    const auto path = (folder_ / "daemon.json").string();
    std::ofstream(path) << text;
    return path;
  }

  Result<std::optional<DaemonOptions>> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "flotilla daemon");
    return parseDaemonOptions(static_cast<int>(arguments.size()), arguments.data(), out_);
  }
  std::string refusal(std::vector<const char*> arguments) {
    const auto result = parse(std::move(arguments));
    return result ? "accepted" : result.error().message();
  }

  std::ostringstream out_;

 private:
  std::filesystem::path folder_;
};

TEST_F(DaemonOptionsTest, HasDefaults) {
  const auto options = parse({});
  ASSERT_TRUE(options.has_value() && options->has_value());
  EXPECT_EQ((*options)->hosts, std::vector<std::string>{"unix:///run/flotilla/flotilla.sock"});
  EXPECT_EQ((*options)->pid_file, "/run/flotilla/flotilla.pid");
  EXPECT_EQ((*options)->shutdown_timeout, 10);
}

TEST_F(DaemonOptionsTest, CommandLineWinsOverTheFile) {
  const auto path = config(R"({"hosts":["unix:///a","tcp://127.0.0.1:1"],"log-level":"debug",
                               "labels":["a=b"],"data-root":"/file","tlsverify":false})");
  const auto options = parse({"--config-file", path.c_str(), "--data-root", "/line"});
  ASSERT_TRUE(options.has_value() && options->has_value()) << options.error().message();
  EXPECT_EQ((*options)->hosts, (std::vector<std::string>{"unix:///a", "tcp://127.0.0.1:1"}));
  EXPECT_EQ((*options)->labels, std::vector<std::string>{"a=b"});
  EXPECT_EQ((*options)->data_root, "/line");
  EXPECT_EQ((*options)->log_level, log::Level::Debug);
}

TEST_F(DaemonOptionsTest, RefusesUnknownKeysAndBadValuesByName) {
  const auto unknown = config(R"({"no-such-key":1})");
  EXPECT_NE(refusal({"--config-file", unknown.c_str()}).find("no-such-key"), std::string::npos);
  EXPECT_NE(refusal({"--log-level", "loud"}).find("loud"), std::string::npos);
  EXPECT_NE(refusal({"--label", "x"}).find("bad attribute format: x"), std::string::npos);
  EXPECT_NE(refusal({"--shutdown-timeout", "-1"}).find("shutdown-timeout"), std::string::npos);
  EXPECT_NE(refusal({"--no-such-flag"}).find("no-such-flag"), std::string::npos);
  EXPECT_NE(refusal({"--config-file", "/nonexistent.json"}).find("/nonexistent.json"),
            std::string::npos);
}

TEST_F(DaemonOptionsTest, TlsNeedsItsFiles) {
  EXPECT_NE(refusal({"--tls"}).find("--tlscert"), std::string::npos);
  EXPECT_NE(refusal({"--tlsverify", "--tlscert=c", "--tlskey=k"}).find("--tlscacert"),
            std::string::npos);
  const auto options = parse({"--tlsverify", "--tlscacert=a", "--tlscert=c", "--tlskey=k"});
  ASSERT_TRUE(options.has_value() && options->has_value());
  EXPECT_TRUE((*options)->tls);
}

TEST_F(DaemonOptionsTest, ValidateChecksAndRunsNothing) {
  const auto good = parse({"--validate", "-D"});
  ASSERT_TRUE(good.has_value());
  EXPECT_FALSE(good->has_value());
  EXPECT_EQ(out_.str(), "configuration OK\n");
  EXPECT_NE(refusal({"--validate", "--label", "x"}).find("bad attribute"), std::string::npos);
}

}  // namespace
}  // namespace flotilla::daemon
