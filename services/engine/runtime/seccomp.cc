#include "engine/runtime/seccomp.h"

#include <algorithm>
#include <cerrno>

#include "engine/runtime/seccomp_data.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

json emptyProfile() {
  return {
    {"defaultAction", "SCMP_ACT_ERRNO"}, {"defaultErrnoRet", EPERM},
#if defined(__x86_64__)
        {"architectures", {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}},
#elif defined(__aarch64__)
        {"architectures", {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"}},
#endif
    {
      "syscalls", json::array()
    }
  };
}

bool has(model::CapabilitySet set, const std::string& name) {
  const auto capability = model::parseCapability(name);
  return capability && (set & *capability) != 0;
}

/// Rules for a call that depends on an argument. Each value of "equals" is a rule of its own:
/// conditions within one rule would all have to hold.
void addConditional(json& syscalls, const json& rule) {
  const json names = json::array({rule["call"]});
  auto add = [&](const char* op, const json& value) {
    syscalls.push_back(
        {{"names", names},
         {"action", "SCMP_ACT_ALLOW"},
         {"args", json::array({{{"index", rule["arg"]}, {"value", value}, {"op", op}}})}});
  };
  if (rule.contains("equals")) {
    for (const json& value : rule["equals"]) {
      add("SCMP_CMP_EQ", value);
    }
  } else if (rule.contains("differs")) {
    add("SCMP_CMP_NE", rule["differs"]);
  } else {
    add("SCMP_CMP_MASKED_EQ", rule["lacks"]);  // valueTwo is 0: none of these bits
  }
}

Error badProfile(const std::string& why) {
  return Error(ErrorKind::InvalidArgument, "Decoding seccomp profile failed: " + why);
}

/// Whether a rule of Docker's profile format applies: all of includes.caps, none of excludes.caps.
bool applies(const json& rule, model::CapabilitySet capabilities) {
  auto caps = [&](const char* key) {
    return rule.contains(key) && rule[key].is_object() ? rule[key].value("caps", json::array())
                                                       : json::array();
  };
  for (const json& name : caps("includes")) {
    if (!name.is_string() || !has(capabilities, name.get<std::string>())) {
      return false;
    }
  }
  for (const json& name : caps("excludes")) {
    if (name.is_string() && has(capabilities, name.get<std::string>())) {
      return false;
    }
  }
  return true;
}

Result<json> convertRule(const json& rule) {
  json names = rule.value("names", json::array());
  if (rule.contains("name") && rule["name"].is_string()) {
    names.push_back(rule["name"]);
  }
  if (!names.is_array() || names.empty() || !rule.contains("action") ||
      !rule["action"].is_string()) {
    return badProfile("a rule needs names and an action");
  }
  json converted = {{"names", names}, {"action", rule["action"]}};
  for (const char* key : {"args", "errnoRet"}) {
    if (rule.contains(key) && !rule[key].is_null() && !rule[key].empty()) {
      converted[key] = rule[key];
    }
  }
  return converted;
}

}  // namespace

json defaultSeccomp(model::CapabilitySet capabilities) {
  const json data = json::parse(kSeccompData, nullptr, false);
  json profile = emptyProfile();
  json& syscalls = profile["syscalls"];
  json names = data["allow"];
  for (const auto& [capability, more] : data["allow_with"].items()) {
    if (has(capabilities, capability)) {
      names.insert(names.end(), more.begin(), more.end());
    }
  }
  for (const json& rule : data["missing"]) {
    if (!has(capabilities, rule["unless"])) {
      syscalls.push_back({{"names", json::array({rule["call"]})},
                          {"action", "SCMP_ACT_ERRNO"},
                          {"errnoRet", ENOSYS}});
    }
  }
  for (const json& rule : data["allow_if"]) {
    if (!rule.contains("unless") || !has(capabilities, rule["unless"])) {
      addConditional(syscalls, rule);
    }
  }
  syscalls.push_back({{"names", std::move(names)}, {"action", "SCMP_ACT_ALLOW"}});
  return profile;
}

Result<json> customSeccomp(const std::string& text, model::CapabilitySet capabilities) {
  const json given = json::parse(text, nullptr, false);
  if (!given.is_object()) {
    return badProfile("invalid JSON");
  }
  json profile = emptyProfile();
  profile.erase("defaultErrnoRet");
  if (!given.contains("defaultAction") || !given["defaultAction"].is_string()) {
    return badProfile("no default action");
  }
  for (const char* key : {"defaultAction", "defaultErrnoRet", "architectures", "flags"}) {
    if (given.contains(key) && !given[key].is_null() && !given[key].empty()) {
      profile[key] = given[key];
    }
  }
  const json rules = given.value("syscalls", json(nullptr));
  if (!rules.is_null() && !rules.is_array()) {
    return badProfile("syscalls is not a list");
  }
  for (const json& rule : rules) {
    if (!rule.is_object()) {
      return badProfile("a rule is not an object");
    }
    if (applies(rule, capabilities)) {
      FLO_TRY_ASSIGN(json converted, convertRule(rule));
      profile["syscalls"].push_back(std::move(converted));
    }
  }
  return profile;
}

}  // namespace flotilla::engine
