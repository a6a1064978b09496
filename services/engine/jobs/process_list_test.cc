#include "engine/jobs/process_list.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace flotilla::engine {
namespace {

TEST(ProcessList, ShowsTheLinesOfTheContainersProcesses) {
  EXPECT_EQ(parseProcessList("UID  PID CMD\n"
                             "root 1   /sbin/init\n"
                             "root 42  sh -c sleep 9\n"
                             "app  142 sleep 9\n",
                             {42, 7})
                .value(),
            R"({"Processes":[["root","42","sh -c sleep 9"]],"Titles":["UID","PID","CMD"]})");
}

TEST(ProcessList, FindsThePidWhereverItsColumnIs) {
  EXPECT_EQ(parseProcessList("CMD PID\nsh 3\nPID\n\n", {3}).value(),
            R"({"Processes":[["sh","3"]],"Titles":["CMD","PID"]})");
}

TEST(ProcessList, RefusesATableWithoutPids) {
  for (const char* text : {"", "UID CMD\nroot sh\n"}) {
    const auto list = parseProcessList(text, {1});
    EXPECT_EQ(list.error().kind(), ErrorKind::InvalidArgument);
    EXPECT_EQ(list.error().message(), "Couldn't find PID field in ps output");
  }
}

TEST(ProcessList, WhatPsComplainsAboutIsNoProcess) {
  const auto list = processListJson({::getpid()}, "-eo pid,comm --no-such-option");
  ASSERT_FALSE(list);
  EXPECT_EQ(list.error().kind(), ErrorKind::Internal);
  EXPECT_TRUE(list.error().message().starts_with("ps: ")) << list.error().message();
  const auto good = processListJson({::getpid()}, "-eo pid,comm");
  ASSERT_TRUE(good);
  EXPECT_NE(good->find("\"" + std::to_string(::getpid()) + "\""), std::string::npos);
}

}  // namespace
}  // namespace flotilla::engine
