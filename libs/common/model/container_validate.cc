#include "common/model/container_validate.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/model/byte_size.h"
#include "common/model/invalid.h"
#include "common/model/mount_spec.h"
#include "common/model/namespace_mode.h"
#include "common/model/port_spec.h"
#include "common/model/security_options.h"
#include "common/model/signal_name.h"
#include "common/model/start_validate.h"

namespace flotilla::model {
namespace {

constexpr int kMaxOomScoreAdj = 1000;
constexpr ApiVersion kMacPerEndpoint{1, 44};

bool isMacAddress(const std::string& text) {
  std::array<unsigned, 6> bytes{};
  int used = 0;
  return std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%n", &bytes[0], &bytes[1], &bytes[2],
                     &bytes[3],  // NOLINT
                     &bytes[4], &bytes[5], &used) == 6 &&
         static_cast<std::size_t>(used) == text.size();
}

Result<void> refuseNul(const std::vector<std::string>& list, const std::string& field) {
  for (const std::string& item : list) {
    if (item.find('\0') != std::string::npos) {
      return invalid(field + ": NUL byte in value");
    }
  }
  return {};
}

Result<void> validateConfig(const ContainerConfig& config) {
  for (const std::string& variable : config.env) {
    if (variable.empty() || variable.front() == '=') {
      return invalid("invalid environment variable: " + variable);
    }
  }
  FLO_TRY(refuseNul(config.env, "Env"));
  FLO_TRY(refuseNul(config.cmd.value_or(std::vector<std::string>{}), "Cmd"));
  FLO_TRY(refuseNul(config.entrypoint.value_or(std::vector<std::string>{}), "Entrypoint"));
  FLO_TRY(
      refuseNul({config.hostname, config.domainname, config.user, config.working_dir}, "Config"));
  constexpr std::size_t kMaxHostname = 64;  // sethostname(2)
  if (config.hostname.size() > kMaxHostname || config.domainname.size() > kMaxHostname) {
    return invalid("sethostname: invalid argument");
  }
  if (!config.working_dir.empty() && config.working_dir.front() != '/') {
    return invalid("the working directory '" + config.working_dir +
                   "' is invalid, it needs to be an absolute path");
  }
  if (!config.stop_signal.empty()) {
    FLO_TRY(parseSignal(config.stop_signal));
  }
  return {};
}

/// What cannot go with another container's network namespace.
Result<void> validateNetwork(const ContainerConfig& config, const HostConfig& host) {
  const NamespaceMode network = NamespaceMode::parse(host.network_mode);
  if (host.network_mode == "container" || (network.isContainer() && network.name.empty())) {
    return invalid("invalid network mode: invalid container format container:<name|id>");
  }
  if (NamespaceMode::parse(host.uts_mode).isHost() && !config.hostname.empty()) {
    return invalid("conflicting options: hostname and the UTS mode");
  }
  if (!network.isContainer()) {
    return {};
  }
  const std::array<std::pair<bool, const char*>, 5> conflicts = {{
      {!config.hostname.empty(), "hostname and the network mode"},
      {!host.dns.empty(), "dns and the network mode"},
      {!host.extra_hosts.empty(), "custom host-to-IP mapping and the network mode"},
      {!host.port_bindings.empty() || host.publish_all_ports,
       "port publishing and the container type network mode"},
      {!config.exposed_ports.empty(), "port exposing and the container type network mode"},
  }};
  for (const auto& [conflict, what] : conflicts) {
    if (conflict) {
      return invalid(std::string("conflicting options: ") + what);
    }
  }
  return {};
}

Result<void> validateNamespaces(const HostConfig& host) {
  using Kind = NamespaceMode::Kind;
  const NamespaceMode ipc = NamespaceMode::parse(host.ipc_mode);
  if (ipc.kind == Kind::Named || host.ipc_mode == "default") {
    return invalid("invalid IPC mode: " + host.ipc_mode);
  }
  const NamespaceMode pid = NamespaceMode::parse(host.pid_mode);
  const bool pid_container = pid.isContainer() && !pid.name.empty();
  if (!host.pid_mode.empty() && !pid.isHost() && !pid_container) {
    return invalid("invalid PID mode: " + host.pid_mode);
  }
  if (!host.uts_mode.empty() && host.uts_mode != "host") {
    return invalid("invalid UTS mode: " + host.uts_mode);
  }
  if (!host.cgroupns_mode.empty() && host.cgroupns_mode != "host" &&
      host.cgroupns_mode != "private") {
    return invalid("invalid cgroup namespace mode: " + host.cgroupns_mode);
  }
  if (!host.userns_mode.empty() && host.userns_mode != "host") {
    return invalid("invalid user namespace mode: " + host.userns_mode);
  }
  if (!host.isolation.empty() && host.isolation != "default") {
    return invalid("invalid isolation (" + host.isolation + "): linux only supports 'default'");
  }
  return {};
}

Result<void> validateExtraHosts(const std::vector<std::string>& hosts) {
  for (const std::string& entry : hosts) {
    const std::size_t colon = entry.find(':');
    if (colon == std::string::npos || colon == 0) {
      return invalid("bad format for add-host: \"" + entry + "\"");
    }
    const std::string address = entry.substr(colon + 1);
    in6_addr ignored{};
    if (address != "host-gateway" && inet_pton(AF_INET, address.c_str(), &ignored) != 1 &&
        inet_pton(AF_INET6, address.c_str(), &ignored) != 1) {
      return invalid("invalid IP address in add-host: \"" + address + "\"");
    }
  }
  return {};
}

Result<void> validateJsonFileOptions(const std::map<std::string, std::string>& options) {
  constexpr std::array<std::string_view, 10> kKnown = {
      "max-size", "max-file", "mode",      "max-buffer-size", "compress",
      "labels",   "env",      "env-regex", "labels-regex",    "tag"};
  const auto parsed = parseJsonFileOptions(options);
  for (const auto& [key, value] : options) {
    if (std::find(kKnown.begin(), kKnown.end(), key) == kKnown.end()) {
      return invalid("unknown log opt '" + key + "' for json-file log driver");
    }
    if (key == "max-buffer-size") {
      if (auto size = parseByteSize(value); !size && value != "-1") {
        return std::move(size).error().context("error parsing option max-buffer-size");
      }
    }
    if ((key == "compress" && parsed && parsed->compress) || key == "labels" || key == "env" ||
        key == "env-regex" || key == "labels-regex" || key == "tag") {
      return invalid("HostConfig.LogConfig.Config." + key + ": value \"" + value +
                     "\" is not supported by this engine");
    }
  }
  return {};
}

Result<void> validateLog(const HostConfig& host) {
  constexpr std::array<std::string_view, 9> kOthers = {
      "local", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "etwlogs", "gcplogs"};
  if (host.log_driver == "none") {
    return {};
  }
  if (std::find(kOthers.begin(), kOthers.end(), host.log_driver) != kOthers.end()) {
    return invalid("HostConfig.LogConfig.Type: value \"" + host.log_driver +
                   "\" is not supported by this engine");
  }
  if (!host.log_driver.empty() && host.log_driver != "json-file") {
    return invalid("error looking up logging plugin " + host.log_driver + ": plugin \"" +
                   host.log_driver + "\" not found");
  }
  const auto mode = host.log_options.find("mode");
  const bool non_blocking = mode != host.log_options.end() && mode->second == "non-blocking";
  if (mode != host.log_options.end() && !non_blocking && mode->second != "blocking" &&
      !mode->second.empty()) {
    return invalid("logger: logging mode not supported: " + mode->second);
  }
  if (!non_blocking && host.log_options.contains("max-buffer-size")) {
    return invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  return validateJsonFileOptions(host.log_options);
}

Result<void> validateHost(const HostConfig& host, const HostFacts& facts) {
  if (host.auto_remove && !host.restart_policy.empty() && host.restart_policy != "no") {
    return invalid("can't create 'AutoRemove' container with restart policy");
  }
  FLO_TRY(validateExtraHosts(host.extra_hosts));
  FLO_TRY(validateRestartPolicy(host.restart_policy, host.restart_max_retries));
  FLO_TRY(resolveCapabilities(host.cap_add, host.cap_drop, host.privileged, facts.capabilities));
  FLO_TRY(validateNamespaces(host));
  if (host.annotations.contains("")) {
    return invalid("invalid Annotations: the empty string is not permitted as an annotation key");
  }
  if (host.oom_score_adj < -kMaxOomScoreAdj || host.oom_score_adj > kMaxOomScoreAdj) {
    return invalid("Invalid value " + std::to_string(host.oom_score_adj) +
                   ", range for oom score adj is [-1000, 1000]");
  }
  if (host.shm_size < 0) {
    return invalid("SHM size can not be less than 0");
  }
  if (!host.runtime.empty() && std::find(facts.runtimes.begin(), facts.runtimes.end(),
                                         host.runtime) == facts.runtimes.end()) {
    return invalid("unknown or invalid runtime name: " + host.runtime);
  }
  FLO_TRY(SecurityOptions::parse(host.security_opt));
  return validateLog(host);
}

Result<void> validateEndpoints(const CreateRequest& request, const NamespaceMode& network) {
  for (const auto& [name, endpoint] : request.endpoints) {
    const std::string shown = name == "default" ? "bridge" : name;
    if (!endpoint.ipv4_address.empty() && (shown == "none" || shown == "host")) {
      return invalid(
          "invalid config for network " + shown +
          ": invalid endpoint settings:\n"
          "* user specified IP address is supported on user defined networks only\n"
          "* user specified IP address is supported only when connecting to networks with user configured "
          "subnets");
    }
    if (!endpoint.mac_address.empty() && !isMacAddress(endpoint.mac_address)) {
      return invalid("invalid config for network " + shown + ": invalid MAC address " +
                     endpoint.mac_address);
    }
    if (!endpoint.mac_address.empty() && !request.config.mac_address.empty() &&
        endpoint.mac_address != request.config.mac_address) {
      return invalid(
          "the container-wide MAC address must match the endpoint-specific MAC address for the main "
          "network, or be left empty");
    }
  }
  if (!request.config.mac_address.empty() && !isMacAddress(request.config.mac_address)) {
    const bool named = network.kind == NamespaceMode::Kind::Named;
    return invalid("invalid config for network " + (named ? network.name : "bridge") +
                   ": invalid MAC address " + request.config.mac_address);
  }
  return {};
}

void addWarnings(const CreateRequest& request, ApiVersion version,
                 std::vector<std::string>& warnings) {
  if (!request.config.mac_address.empty() && version >= kMacPerEndpoint) {
    warnings.emplace_back(
        "The container-wide MacAddress field is now deprecated. It should be specified in "
        "EndpointsConfig instead.");
  }
  if (request.host.network_mode == "host" && !request.host.port_bindings.empty()) {
    warnings.emplace_back("Published ports are discarded when using host network mode");
  }
}

}  // namespace

Result<void> validateRestartPolicy(const std::string& name, int max_retries) {
  if (name.empty() || name == "no" || name == "always" || name == "unless-stopped") {
    if (max_retries != 0) {
      return invalid(
          "invalid restart policy: maximum retry count can only be used with 'on-failure'" +
          std::string(max_retries < 0 ? " and cannot be negative" : ""));
    }
    return {};
  }
  if (name != "on-failure") {
    return invalid("invalid restart policy: unknown policy '" + name +
                   "'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
  }
  if (max_retries < 0) {
    return invalid("invalid restart policy: maximum retry count cannot be negative");
  }
  return {};
}

Result<std::vector<std::string>> validateCreate(const CreateRequest& request,
                                                const HostFacts& facts, ApiVersion version) {
  std::vector<std::string> warnings;
  FLO_TRY(validateNetwork(request.config, request.host));
  FLO_TRY(validateConfig(request.config));
  FLO_TRY(validateHost(request.host, facts));
  FLO_TRY(validateResources(request.host, facts, warnings));
  FLO_TRY(collectPublishedPorts(request.config, request.host));
  FLO_TRY(collectMounts(request.config, request.host));
  FLO_TRY(validateEndpoints(request, NamespaceMode::parse(request.host.network_mode)));
  addWarnings(request, version, warnings);
  return warnings;
}

}  // namespace flotilla::model
