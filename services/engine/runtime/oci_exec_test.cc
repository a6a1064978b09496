#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/runtime/oci_spec.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

const char* const kSpec =
    R"({"process":{"user":{"uid":0,"gid":0},"args":["sh"],"env":["PATH=/bin","A=1"],"cwd":"/w",
  "capabilities":{"bounding":["CAP_CHOWN"]},"consoleSize":{"height":1,"width":2}},
  "annotations":{"org.flotilla.user":"me","org.flotilla.group_add":"[\"5\"]"}})";

json processOf(const model::ExecConfig& exec) {
  return json::parse(buildExecProcess(kSpec, exec, model::knownCapabilities()).value());
}

TEST(BuildExecProcess, StartsFromTheContainersProcess) {
  model::ExecConfig exec;
  exec.cmd = {"ls", "-l"};
  exec.env = {"A=2", "B=3"};
  const json process = processOf(exec);
  EXPECT_EQ(process["args"], json({"ls", "-l"}));
  EXPECT_EQ(process["env"], json({"PATH=/bin", "A=2", "B=3"}));
  EXPECT_EQ(process["cwd"], "/w");
  EXPECT_EQ(process["org.flotilla.user"], "me");
  EXPECT_EQ(process["org.flotilla.group_add"], "[\"5\"]");
  EXPECT_EQ(process["capabilities"]["bounding"], json({"CAP_CHOWN"}));
  EXPECT_FALSE(process.contains("consoleSize"));
}

TEST(BuildExecProcess, AppliesWhatTheExecAsksFor) {
  model::ExecConfig exec;
  exec.cmd = {"sh"};
  exec.tty = exec.privileged = true;
  exec.user = "0";
  exec.working_dir = "/tmp";
  exec.console_height = 24;
  exec.console_width = 80;
  const json process = processOf(exec);
  EXPECT_EQ(process["terminal"], true);
  EXPECT_EQ(process["env"][0], "TERM=xterm");
  EXPECT_EQ(process["cwd"], "/tmp");
  EXPECT_EQ(process["org.flotilla.user"], "0");
  EXPECT_EQ(process["consoleSize"]["width"], 80);
  EXPECT_EQ(process["capabilities"]["effective"].size(), 41U);
}

TEST(BuildExecProcess, LeavesRelativeDirectoriesToTheShim) {
  model::ExecConfig exec;
  exec.cmd = {"sh"};
  exec.working_dir = "rel";  // refused there, with dockerd's exit code 128
  EXPECT_EQ(nlohmann::json::parse(buildExecProcess(kSpec, exec, 0).value())["cwd"], "rel");
}

TEST(BuildExecProcess, RefusesForeignSpecs) {
  EXPECT_EQ(buildExecProcess("{", {}, 0).error().kind(), ErrorKind::Internal);
}

TEST(MergeEnvironment, ReplacesInPlaceAndRemoves) {
  EXPECT_EQ(mergeEnvironment({"A=1", "B=2"}, {"B=3", "A", "C=", "B=4"}),
            (std::vector<std::string>{"B=4", "C="}));
}

}  // namespace
}  // namespace flotilla::engine
