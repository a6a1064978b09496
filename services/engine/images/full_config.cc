#include "engine/images/full_config.h"

namespace flotilla::engine {

nlohmann::ordered_json fullConfig(const nlohmann::json& set) {
  static constexpr const char* kOrder[] = {
      "Hostname",     "Domainname", "User",      "AttachStdin", "AttachStdout", "AttachStderr",
      "ExposedPorts", "Tty",        "OpenStdin", "StdinOnce",   "Env",          "Cmd",
      "Healthcheck",  "Image",      "Volumes",   "WorkingDir",  "Entrypoint",   "OnBuild",
      "Labels",       "StopSignal", "Shell"};
  static const nlohmann::json kDefaults = {
      {"Hostname", ""},       {"Domainname", ""},      {"User", ""},
      {"AttachStdin", false}, {"AttachStdout", false}, {"AttachStderr", false},
      {"Tty", false},         {"OpenStdin", false},    {"StdinOnce", false},
      {"Env", nullptr},       {"Cmd", nullptr},        {"Image", ""},
      {"Volumes", nullptr},   {"WorkingDir", ""},      {"Entrypoint", nullptr},
      {"OnBuild", nullptr},   {"Labels", nullptr}};
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const char* key : kOrder) {
    if (set.contains(key)) {
      out[key] = nlohmann::ordered_json(set[key]);
    } else if (kDefaults.contains(key)) {
      out[key] = nlohmann::ordered_json(kDefaults[key]);
    }
  }
  return out;
}

}  // namespace flotilla::engine
