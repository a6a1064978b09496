#include "engine/runtime/seccomp.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace flotilla::engine {
namespace {

using nlohmann::json;

/// A profile as a set of (call, action, errno, conditions): independent of how rules are grouped.
std::set<json> flatten(const json& profile) {
  std::set<json> rules;
  for (const json& rule : profile["syscalls"]) {
    for (const json& name : rule["names"]) {
      json args = rule.value("args", json(nullptr));
      rules.insert(json::array({name, rule["action"], rule.value("errnoRet", json("")), args}));
    }
  }
  return rules;
}

std::set<json> recorded(const json& list) {
  std::set<json> rules;
  for (const json& rule : list) {
    rules.insert(json::array({rule[0], rule[1], rule[2], json::parse(rule[3].get<std::string>())}));
  }
  return rules;
}

json goldenProfiles() {
  std::ifstream file(std::string(FLO_TESTDATA) + "/seccomp_dockerd_28.5.json");
  return json::parse(file);
}

TEST(DefaultSeccomp, EqualsDockerdsForEveryCapability) {
  const json golden = goldenProfiles();
  const std::set<json> none = recorded(golden["none"]);
  EXPECT_EQ(flatten(defaultSeccomp(0)), none);
  for (const auto& [name, change] : golden.items()) {
    if (!name.starts_with("CAP_")) {
      continue;
    }
    std::set<json> expected = none;
    expected.merge(recorded(change["plus"]));
    for (const json& rule : recorded(change["minus"])) {
      expected.erase(rule);
    }
    EXPECT_EQ(flatten(defaultSeccomp(model::parseCapability(name).value())), expected) << name;
  }
}

TEST(DefaultSeccomp, RefusesWithEperm) {
  const json profile = defaultSeccomp(model::defaultCapabilities());
  EXPECT_EQ(profile["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(profile["defaultErrnoRet"], 1);
}

TEST(CustomSeccomp, AppliesRulesByCapability) {
  const std::string text = R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
    {"names":["mkdir"],"action":"SCMP_ACT_ERRNO"},
    {"names":["mount"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_SYS_ADMIN"]}},
    {"names":["bpf"],"action":"SCMP_ACT_LOG","includes":{"caps":["CAP_BPF"]}}]})";
  EXPECT_EQ(customSeccomp(text, 0).value()["syscalls"].size(), 2U);
  EXPECT_EQ(customSeccomp(text, model::knownCapabilities()).value()["syscalls"].size(), 2U);
}

TEST(CustomSeccomp, RefusesWhatIsNoProfile) {
  for (const char* bad :
       {"", "{", "[]", "{}", R"({"defaultAction":1})",
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[1]})",
        R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_LOG"}]})"}) {
    EXPECT_FALSE(customSeccomp(bad, 0)) << bad;
  }
}

}  // namespace
}  // namespace flotilla::engine
