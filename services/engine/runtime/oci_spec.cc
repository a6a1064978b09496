#include "engine/runtime/oci_spec.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/model/namespace_mode.h"
#include "common/model/security_options.h"
#include "engine/runtime/oci_mounts.h"
#include "engine/runtime/oci_resources.h"
#include "engine/runtime/seccomp.h"
#include "engine/runtime/seccomp_filter.h"
#include "engine/shim/process_spec.h"

namespace flotilla::engine {
namespace {

using nlohmann::json;

constexpr const char* kUserAnnotation = "org.flotilla.user";
constexpr const char* kGroupsAnnotation = "org.flotilla.group_add";
constexpr const char* kBpfAnnotation = "run.oci.seccomp_bpf_data";
constexpr const char* kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string nameOf(const std::string& variable) { return variable.substr(0, variable.find('=')); }

json capabilityObject(model::CapabilitySet set) {
  const std::vector<std::string> names = model::capabilityNames(set);
  return {{"bounding", names}, {"effective", names}, {"permitted", names}};
}

std::vector<std::string> environmentOf(const model::ContainerConfig& config) {
  std::vector<std::string> base = {kDefaultPath, "HOSTNAME=" + config.hostname};
  if (config.tty) {
    base.emplace_back("TERM=xterm");
  }
  return mergeEnvironment(std::move(base), config.env);
}

/// One member of a JSON object, null when it has none; the others (of a config.json: the seccomp
/// filter) are not parsed.
std::string_view memberText(std::string_view object, std::string_view key) {
  for (const shim::Member& member :
       shim::topLevelMembers(object).value_or(std::vector<shim::Member>{})) {
    if (member.key == key) {
      return member.value;
    }
  }
  return "null";
}

std::string annotation(std::string_view annotations, const char* key, const char* otherwise) {
  const json value = json::parse(memberText(annotations, key), nullptr, false);
  return value.is_string() ? value.get<std::string>() : otherwise;
}

Result<std::vector<std::string>> argumentsOf(const SpecInput& input) {
  std::vector<std::string> args;
  if (!input.init_path.empty()) {
    args = {"/sbin/docker-init", "--"};
  }
  const std::size_t own = args.size();
  for (const auto* list : {&input.config->entrypoint, &input.config->cmd}) {
    if (*list) {
      args.insert(args.end(), (*list)->begin(), (*list)->end());
    }
  }
  if (args.size() == own) {
    return Error(ErrorKind::InvalidArgument, "no command specified");
  }
  return args;
}

Result<json> processOf(const SpecInput& input, model::CapabilitySet capabilities,
                       bool no_new_privileges) {
  FLO_TRY_ASSIGN(const std::vector<std::string> args, argumentsOf(input));
  FLO_TRY_ASSIGN(json rlimits, ociRlimits(*input.host, input.capabilities));
  const model::ContainerConfig& config = *input.config;
  json process = {{"user", {{"uid", 0}, {"gid", 0}}},
                  {"args", args},
                  {"env", environmentOf(config)},
                  {"cwd", config.working_dir.empty() ? "/" : config.working_dir},
                  {"capabilities", capabilityObject(capabilities)},
                  {"oomScoreAdj", input.host->oom_score_adj}};
  if (!rlimits.empty()) {
    process["rlimits"] = std::move(rlimits);
  }
  if (config.tty) {
    process["terminal"] = true;
    if (input.host->console_height > 0 && input.host->console_width > 0) {
      process["consoleSize"] = {{"height", input.host->console_height},
                                {"width", input.host->console_width}};
    }
  }
  if (no_new_privileges) {
    process["noNewPrivileges"] = true;
  }
  return process;
}

/// The namespaces in dockerd's order. A path joins one that exists.
json namespacesOf(const SpecInput& input) {
  using Mode = model::NamespaceMode;
  json namespaces = json::array({{{"type", "mount"}}});
  auto add = [&](const char* type, const std::string& path) {
    json entry = {{"type", type}};
    if (!path.empty()) {
      entry["path"] = path;
    }
    namespaces.push_back(std::move(entry));
  };
  if (!Mode::parse(input.host->network_mode).isHost()) {
    add("network", input.netns_path);
  }
  if (input.host->uts_mode != "host") {
    add("uts", "");
  }
  if (!Mode::parse(input.host->pid_mode).isHost()) {
    add("pid", input.pid_ns_path);
  }
  if (!Mode::parse(input.host->ipc_mode).isHost()) {
    add("ipc", input.ipc_ns_path);
  }
  if (input.host->cgroupns_mode == "private") {
    add("cgroup", "");
  }
  return namespaces;
}

Result<SeccompFilter> seccompOf(const SpecInput& input, const model::SecurityOptions& security,
                                model::CapabilitySet capabilities) {
  const SeccompCompiler compiler =
      input.raw_seccomp ? SeccompCompiler::Engine : SeccompCompiler::Runtime;
  if (!security.seccomp_profile.empty()) {
    FLO_TRY_ASSIGN(json rules, customSeccomp(security.seccomp_profile, capabilities));
    return finishFilter(std::move(rules), compiler);
  }
  if (security.seccomp_unconfined || input.host->privileged) {
    return SeccompFilter{};
  }
  return defaultFilter(capabilities, compiler);
}

Result<json> linuxOf(const SpecInput& input, json seccomp) {
  FLO_TRY_ASSIGN(DeviceLists devices, ociDevices(*input.host));
  FLO_TRY_ASSIGN(json sysctls, ociSysctls(input));
  json result = {{"namespaces", namespacesOf(input)},
                 {"cgroupsPath", input.cgroup_path},
                 {"resources", ociLimits(*input.host, input.cgroup_v2)}};
  result["resources"]["devices"] = std::move(devices.rules);
  if (!devices.nodes.empty()) {
    result["devices"] = std::move(devices.nodes);
  }
  if (!sysctls.empty()) {
    result["sysctl"] = std::move(sysctls);
  }
  if (!seccomp.is_null()) {
    result["seccomp"] = std::move(seccomp);
  }
  if (!input.host->privileged) {
    const std::pair<const char*, const std::optional<std::vector<std::string>>&> lists[] = {
        {"maskedPaths", input.host->masked_paths}, {"readonlyPaths", input.host->readonly_paths}};
    for (const auto& [key, paths] : lists) {
      if (paths && !paths->empty()) {
        result[key] = *paths;
      }
    }
  }
  if (const std::string propagation = rootPropagation(input.mounts); !propagation.empty()) {
    result["rootfsPropagation"] = propagation;
  }
  return result;
}

json annotationsOf(const SpecInput& input) {
  json annotations = input.host->annotations;
  if (!input.config->user.empty()) {
    annotations[kUserAnnotation] = input.config->user;
  }
  if (!input.host->group_add.empty()) {
    annotations[kGroupsAnnotation] =
        json(input.host->group_add).dump(-1, ' ', false, json::error_handler_t::replace);
  }
  return annotations;
}

}  // namespace

std::vector<std::string> mergeEnvironment(std::vector<std::string> base,
                                          const std::vector<std::string>& overrides) {
  for (const std::string& variable : overrides) {
    const std::string name = nameOf(variable);
    const auto same = std::find_if(base.begin(), base.end(),
                                   [&](const std::string& other) { return nameOf(other) == name; });
    if (variable.find('=') == std::string::npos) {
      if (same != base.end()) {
        base.erase(same);
      }
    } else if (same != base.end()) {
      *same = variable;
    } else {
      base.push_back(variable);
    }
  }
  return base;
}

Result<std::string> buildOciSpec(const SpecInput& input) {
  FLO_TRY_ASSIGN(const auto security, model::SecurityOptions::parse(input.host->security_opt));
  FLO_TRY_ASSIGN(const auto capabilities,
                 model::resolveCapabilities(input.host->cap_add, input.host->cap_drop,
                                            input.host->privileged, input.capabilities));
  FLO_TRY_ASSIGN(json process, processOf(input, capabilities, security.no_new_privileges));
  FLO_TRY_ASSIGN(SeccompFilter seccomp, seccompOf(input, security, capabilities));
  FLO_TRY_ASSIGN(json linux_part, linuxOf(input, std::move(seccomp.rules)));
  json spec = {{"ociVersion", "1.0.2"},
               {"process", std::move(process)},
               {"root", {{"path", input.rootfs}}},
               {"mounts", ociMounts(input)},
               {"linux", std::move(linux_part)}};
  if (input.host->read_only_rootfs) {
    spec["root"]["readonly"] = true;
  }
  if (input.host->uts_mode != "host") {
    spec["hostname"] = input.config->hostname;
  }
  json annotations = annotationsOf(input);
  if (!seccomp.program.empty()) {
    annotations[kBpfAnnotation] = std::move(seccomp.program);
  }
  if (!annotations.empty()) {
    spec["annotations"] = std::move(annotations);
  }
  return spec.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<std::string> buildExecProcess(const std::string& container_spec_json,
                                     const model::ExecConfig& exec,
                                     model::CapabilitySet capabilities) {
  json process = json::parse(memberText(container_spec_json, "process"), nullptr, false);
  if (!process.is_object()) {
    return Error(ErrorKind::Internal, "the container's config.json has no process");
  }
  std::vector<std::string> env = process.value("env", std::vector<std::string>{});
  if (exec.tty) {
    env = mergeEnvironment({"TERM=xterm"}, env);
  }
  process["env"] = mergeEnvironment(std::move(env), exec.env);
  process["args"] = exec.cmd;
  process["terminal"] = exec.tty;
  process.erase("consoleSize");
  if (exec.tty && exec.console_height > 0 && exec.console_width > 0) {
    process["consoleSize"] = {{"height", exec.console_height}, {"width", exec.console_width}};
  }
  if (!exec.working_dir.empty()) {
    process["cwd"] = exec.working_dir;
  }
  if (exec.privileged) {
    process["capabilities"] = capabilityObject(capabilities & model::knownCapabilities());
  }
  const std::string_view annotations = memberText(container_spec_json, "annotations");
  process[kUserAnnotation] =
      exec.user.empty() ? annotation(annotations, kUserAnnotation, "") : exec.user;
  process[kGroupsAnnotation] = annotation(annotations, kGroupsAnnotation, "[]");
  return process.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace flotilla::engine
