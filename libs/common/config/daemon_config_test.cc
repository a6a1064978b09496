#include "common/config/daemon_config.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace flotilla::config {
namespace {

class DaemonConfigTest : public testing::Test {
 protected:
  DaemonConfigTest() {
    std::string pattern = testing::TempDir() + "flotilla-config-XXXXXX";
    dir_ = ::mkdtemp(pattern.data());
    useDaemonJson(app_, dir_ + "/daemon.json");
    app_.add_option("-H,--host,--hosts", hosts_)->envname("FLO_TEST_HOST");
    app_.add_option("--log-level", level_)
        ->check(CLI::IsMember({"debug", "info"}))
        ->envname("FLO_TEST_LEVEL");
    app_.add_option("--label,--labels", labels_);
    app_.add_flag("--tls", tls_);
  }
  ~DaemonConfigTest() override {
    ::unsetenv("FLO_TEST_LEVEL");
    std::remove((dir_ + "/daemon.json").c_str());
    std::remove(dir_.c_str());
  }
  DaemonConfigTest(const DaemonConfigTest&) = delete;
  DaemonConfigTest& operator=(const DaemonConfigTest&) = delete;

  void file(const std::string& text) { std::ofstream(dir_ + "/daemon.json") << text; }

  Result<Outcome> parseArgs(std::vector<const char*> args) {
    args.insert(args.begin(), "daemon");
    return parse(app_, static_cast<int>(args.size()), args.data(), out_);
  }

  CLI::App app_;
  std::string dir_;
  std::ostringstream out_;
  std::vector<std::string> hosts_, labels_;
  std::string level_ = "info";
  bool tls_ = false;
};

TEST_F(DaemonConfigTest, TheDefaultFileMayBeMissing) {
  EXPECT_EQ(parseArgs({}).value(), Outcome::Run);
  EXPECT_EQ(level_, "info");
}

TEST_F(DaemonConfigTest, AnEmptyFileSetsNothing) {
  file(" \n");
  EXPECT_EQ(parseArgs({}).value(), Outcome::Run);
  EXPECT_EQ(level_, "info");
}

TEST_F(DaemonConfigTest, LineWinsOverFileOverEnvironment) {
  ::setenv("FLO_TEST_LEVEL", "debug", 1);
  ASSERT_TRUE(parseArgs({}));
  EXPECT_EQ(level_, "debug");
  file(R"({"log-level": "info"})");
  ASSERT_TRUE(parseArgs({}));
  EXPECT_EQ(level_, "info");
  ASSERT_TRUE(parseArgs({"--log-level", "debug"}));
  EXPECT_EQ(level_, "debug");
}

TEST_F(DaemonConfigTest, ReadsDockersKeysListsAndObjects) {
  file(R"({"hosts": ["unix:///a", "tcp://127.0.0.1:1"], "tls": true, "labels": {"zone": "a"}})");
  ASSERT_TRUE(parseArgs({}));
  EXPECT_EQ(hosts_, (std::vector<std::string>{"unix:///a", "tcp://127.0.0.1:1"}));
  EXPECT_EQ(labels_, (std::vector<std::string>{"zone=a"}));
  EXPECT_TRUE(tls_);
}

TEST_F(DaemonConfigTest, UnknownKeysAndBadValuesAreRefusedByName) {
  file(R"({"log-leevel": "info"})");
  const auto unknown = parseArgs({});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message().find("log-leevel"), std::string::npos)
      << unknown.error().message();
  file(R"({"log-level": "loud"})");
  const auto bad = parseArgs({});
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message().find("loud"), std::string::npos) << bad.error().message();
}

TEST_F(DaemonConfigTest, BrokenFilesAreErrors) {
  for (const auto* text : {"{", "[]", "{\"hosts\": [}"}) {
    file(text);
    EXPECT_FALSE(parseArgs({})) << text;
  }
}

TEST_F(DaemonConfigTest, ValidateAnswersAndEnds) {
  EXPECT_EQ(parseArgs({"--validate"}).value(), Outcome::Done);
  EXPECT_EQ(out_.str(), "configuration OK\n");
  EXPECT_FALSE(parseArgs({"--validate", "--log-level", "loud"}));
}

TEST_F(DaemonConfigTest, ANamedFileMustExist) {
  const auto missing = parseArgs({"--config-file", "/nonexistent/daemon.json"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message().find("/nonexistent/daemon.json"), std::string::npos);
}

TEST_F(DaemonConfigTest, IsFinishedBeforeItIsApproved) {
  const std::vector<const char*> args = {"daemon", "--validate", "--tls"};
  const auto run = [&](const Result<void>& finished) {
    return parse(app_, static_cast<int>(args.size()), args.data(), out_, [&] {
      EXPECT_TRUE(tls_);
      return finished;
    });
  };
  const auto refused = run(Error{ErrorKind::InvalidArgument, "tls needs a certificate"});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message(), "tls needs a certificate");
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(run({}).value(), Outcome::Done);
  EXPECT_EQ(out_.str(), "configuration OK\n");
}

}  // namespace
}  // namespace flotilla::config
