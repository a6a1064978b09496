#include "common/model/start_validate.h"

#include <gtest/gtest.h>

namespace flotilla::model {
namespace {

std::string startAnswer(const std::map<std::string, std::string>& log_options,
                        const std::map<std::string, std::string>& tmpfs = {}) {
  HostConfig host;
  host.log_options = log_options;
  host.tmpfs = tmpfs;
  const auto valid = validateStart(host);
  return valid ? "OK" : valid.error().message();
}

TEST(ValidateStart, RefusesLogOptionsInDockersWords) {
  const std::string prefix =
      "failed to create task for container: failed to initialize logging driver: ";
  EXPECT_EQ(startAnswer({{"max-size", "wrong"}}), prefix + "invalid size: 'wrong'");
  EXPECT_EQ(startAnswer({{"max-size", "-1"}}), prefix + "invalid size: '-1'");
  EXPECT_EQ(startAnswer({{"max-size", "0"}}), prefix + "max-size must be a positive number");
  EXPECT_EQ(startAnswer({{"max-file", "x"}}),
            prefix + "strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(startAnswer({{"max-file", "99999999999999999999"}}),
            prefix + "strconv.Atoi: parsing \"99999999999999999999\": value out of range");
  EXPECT_EQ(startAnswer({{"max-file", "0"}}), prefix + "max-file cannot be less than 1");
  EXPECT_EQ(startAnswer({{"compress", "x"}}),
            prefix + "strconv.ParseBool: parsing \"x\": invalid syntax");
  EXPECT_EQ(startAnswer({{"compress", "true"}}),
            prefix + "compress cannot be true when max-file is less than 2 or max-size is not set");
  EXPECT_EQ(startAnswer({{"max-size", "1m"}, {"max-file", "3"}, {"compress", "false"}}), "OK");
}

TEST(ValidateStart, LeavesTheNoneDriverAlone) {
  HostConfig host;
  host.log_driver = "none";
  host.log_options = {{"max-size", "wrong"}};
  EXPECT_TRUE(validateStart(host));
}

TEST(ValidateStart, KnowsTmpfsOptions) {
  EXPECT_EQ(startAnswer({}, {{"/t", "size=1m,mode=1777,ro,noexec,nr_inodes=4k"}}), "OK");
  EXPECT_EQ(startAnswer({}, {{"/t", ""}}), "OK");
  EXPECT_EQ(startAnswer({}, {{"/t", "rw,nosuch"}}), "invalid tmpfs option \"nosuch\"");
  EXPECT_EQ(startAnswer({}, {{"/t", "size"}}), "invalid tmpfs option \"size\"");
  EXPECT_EQ(startAnswer({}, {{"/t", "nosuch=1"}}), "invalid tmpfs option \"nosuch=1\"");
}

TEST(CheckProcMount, LetsOnlyKnownFilesBeReplaced) {
  EXPECT_TRUE(checkProcMount("/x", "/process", "/r", false));
  EXPECT_TRUE(checkProcMount("/x", "/proc/cpuinfo", "/r", false));
  EXPECT_TRUE(checkProcMount("/proc", "/proc", "/r", true));
  EXPECT_FALSE(checkProcMount("/x", "/proc", "/r", false));
  EXPECT_FALSE(checkProcMount("/proc", "/proc/sys", "/r", true));
  const auto refused = checkProcMount("/x", "/proc/sys", "/r", false);
  EXPECT_TRUE(refused.error().message().ends_with(
      ": \"/r/proc/sys\" cannot be mounted because it is inside /proc"));
}

}  // namespace
}  // namespace flotilla::model
