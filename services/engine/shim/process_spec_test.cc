#include "engine/shim/process_spec.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "engine/shim/log_replay.h"

namespace flotilla::engine::shim {
namespace {

TEST(TopLevelMembers, FindsMembersWithoutParsingThem) {
  const auto members =
      topLevelMembers(R"( {"a" : {"x":"}\",{"}, "process":[1,[2]],"s":"q\"," , "n":-1.5} )");
  ASSERT_TRUE(members.has_value());
  ASSERT_EQ(members->size(), 4U);
  EXPECT_EQ((*members)[0].key, "a");
  EXPECT_EQ((*members)[0].value, R"({"x":"}\",{"})");
  EXPECT_EQ((*members)[1].value, "[1,[2]]");
  EXPECT_EQ((*members)[3].key, "n");
  EXPECT_EQ((*members)[3].value, "-1.5");
}

TEST(TopLevelMembers, RefusesWhatIsNoObject) {
  for (const char* text :
       {"", "[]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\" 1}", "{\"a\":\"x"}) {
    EXPECT_FALSE(topLevelMembers(text).has_value()) << text;
  }
  EXPECT_TRUE(topLevelMembers("{}").has_value());
}

TEST(MergeResources, ReplacesTheLimitsAndNothingElse) {
  char directory[] = "/tmp/flotilla-bundle-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string bundle = directory;
  const std::string config = bundle + "/config.json";
  std::ofstream(config)
      << R"({"process":{"cwd":"/"},"linux":{"namespaces":[1],)"
      << R"("resources":{"memory":{"limit":1,"swap":2},"pids":{"limit":5},"devices":[3]}},"mounts":[]})";
  ASSERT_TRUE(mergeResources(bundle, {{"memory", {{"limit", 7}}}, {"pids", nullptr}}));
  const auto after = nlohmann::json::parse(std::ifstream(config));
  EXPECT_EQ(after, nlohmann::json::parse(R"({"process":{"cwd":"/"},"linux":{"namespaces":[1],
    "resources":{"memory":{"limit":7,"swap":2},"devices":[3]}},"mounts":[]})"));
  std::ofstream(config) << R"({"linux":3})";
  EXPECT_FALSE(mergeResources(bundle, {}));
  std::filesystem::remove_all(bundle);
}

TEST(TopLevelMembers, KnowsEscapedQuotesFromTheEndOfAString) {
  const auto members = topLevelMembers(R"({"a":"\\","b":"\\\"}","c":["\"",""],"d":""})");
  ASSERT_TRUE(members.has_value());
  ASSERT_EQ(members->size(), 4U);
  EXPECT_EQ((*members)[0].value, R"("\\")");
  EXPECT_EQ((*members)[1].value, R"("\\\"}")");
  EXPECT_EQ((*members)[2].value, R"(["\"",""])");
  EXPECT_EQ((*members)[3].value, R"("")");
}

TEST(DropAnnotation, LeavesEverythingElse) {
  char directory[] = "/tmp/flotilla-state-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string config = std::string(directory) + "/config.json";
  std::ofstream(config) << R"({"annotations":{"big":"AAAA","own":"x"},"linux":{"big":1}})";
  ASSERT_TRUE(dropAnnotation(config, "big"));
  EXPECT_EQ(nlohmann::json::parse(std::ifstream(config)),
            nlohmann::json::parse(R"({"annotations":{"own":"x"},"linux":{"big":1}})"));
  EXPECT_TRUE(dropAnnotation(config, "big"));
  EXPECT_FALSE(dropAnnotation(config + ".missing", "big"));
  std::filesystem::remove_all(directory);
}

TEST(StartFailure, RewordsTheRuntimesLog) {
  const auto missing = fromRuntimeLog(Verb::Exec,
                                      "{\"msg\":\"executable file `x` not found in $PATH: No such "
                                      "file or directory\",\"level\":\"error\"}\n",
                                      "x");
  EXPECT_EQ(missing.error.message(),
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"x\": "
            "executable file not found in $PATH");
  EXPECT_EQ(missing.code, 127);
  const auto silent = fromRuntimeLog(Verb::Run, "not json", "x");
  EXPECT_EQ(silent.code, 128);
  EXPECT_EQ(silent.error.kind(), ErrorKind::Internal);
}

TEST(StartFailure, RewordsAFailedExecve) {
  EXPECT_EQ(
      rewordExecError(
          "{\"msg\":\"exec container process `/x`: Exec format error\",\"level\":\"error\"}\n",
          "/x"),
      "exec /x: exec format error\n");
  EXPECT_EQ(rewordExecError("ordinary output\n", "/x"), "");
  EXPECT_EQ(rewordExecError("{\"msg\":\"other\"}\n", "/x"), "");
}

TEST(LogEntry, IsReadBackAsItWas) {
  Channel channel = Channel::Stdout;
  std::string text;
  bool replaced = false;
  ASSERT_TRUE(parseEntry(R"({"log":"a\"\\\u003c\u2028\n","stream":"stderr","time":"t"})", channel,
                         text, replaced));
  EXPECT_EQ(text, "a\"\\<\xe2\x80\xa8\n");
  EXPECT_EQ(channel, Channel::Stderr);
  EXPECT_FALSE(replaced);
  text.clear();
  ASSERT_TRUE(
      parseEntry(R"({"log":"\ufffd","stream":"stdout","time":"t"})", channel, text, replaced));
  EXPECT_TRUE(replaced);
  EXPECT_FALSE(parseEntry(R"({"log":"torn)", channel, text, replaced));
  EXPECT_FALSE(parseEntry(R"({"log":"\u00)", channel, text, replaced));
}

}  // namespace
}  // namespace flotilla::engine::shim
