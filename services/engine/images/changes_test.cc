#include "engine/images/changes.h"

#include <gtest/gtest.h>

namespace flotilla::engine {
namespace {

using Json = nlohmann::json;

std::string refusal(const std::string& change) {
  Json config = Json::object();
  const auto applied = applyChanges(config, {change});
  return applied ? "accepted: " + config.dump() : applied.error().message();
}

TEST(Changes, EveryInstructionAsDockerImport) {
  Json config = Json::object();
  const auto applied = applyChanges(
      config,
      {"CMD echo hi", "ENV X=1 Y=\"a b\"", "EXPOSE 80 81/udp 90-91", "LABEL a=b c=d", "USER u",
       "WORKDIR /x", "workdir y", "VOLUME /a /b", "ONBUILD RUN x", "STOPSIGNAL SIGINT",
       "HEALTHCHECK --interval=5s --retries=3 CMD ls -l", "ENTRYPOINT [\"/x\"]", ""});
  ASSERT_TRUE(applied) << applied.error().message();
  EXPECT_EQ(config, Json::parse(R"({
    "Cmd": ["/bin/sh", "-c", "echo hi"], "Entrypoint": ["/x"], "Env": ["X=1", "Y=a b"],
    "ExposedPorts": {"80/tcp": {}, "81/udp": {}, "90/tcp": {}, "91/tcp": {}},
    "Healthcheck": {"Interval": 5000000000, "Retries": 3, "Test": ["CMD-SHELL", "ls -l"]},
    "Labels": {"a": "b", "c": "d"}, "OnBuild": ["RUN x"], "StopSignal": "SIGINT", "User": "u",
    "Volumes": {"/a": {}, "/b": {}}, "WorkingDir": "/x/y"})"));
}

TEST(Changes, LaterOnesReplaceEarlierOnes) {
  Json config = Json::object();
  ASSERT_TRUE(applyChanges(config, {"ENV A=1", "ENV A=2 B=3", "ENV C d e", "HEALTHCHECK NONE"}));
  EXPECT_EQ(config["Env"], Json::parse(R"(["A=2", "B=3", "C=d e"])"));
  EXPECT_EQ(config["Healthcheck"]["Test"], Json::parse(R"(["NONE"])"));
}

TEST(Changes, RefusesInDockersWords) {
  const std::pair<std::string, std::string> cases[] = {
      {"FOO x", "FOO is not a valid change command"},
      {"RUN x", "RUN is not a valid change command"},
      {"ENV a", "ENV must have two arguments"},
      {"LABEL x", "LABEL must have two arguments"},
      {"EXPOSE x", "Invalid containerPort: x"},
      {"STOPSIGNAL FOO", "invalid signal: FOO"},
      {"VOLUME ", "VOLUME requires at least one argument"},
      {"HEALTHCHECK foo", "Unknown type \"FOO\" in HEALTHCHECK (try CMD)"},
      {"ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"},
      {"USER", "USER requires exactly one argument"},
  };
  for (const auto& [change, message] : cases) {
    EXPECT_EQ(refusal(change), message) << change;
  }
}

}  // namespace
}  // namespace flotilla::engine
