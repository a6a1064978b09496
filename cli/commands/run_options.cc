#include "cli/commands/run_options.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>

#include "common/model/byte_size.h"

namespace flotilla::cli {
namespace {

using nlohmann::json;

struct Range {
  int first = 0;
  int last = 0;
};

Error invalid(std::string message) { return {ErrorKind::InvalidArgument, std::move(message)}; }

bool parsePort(std::string_view text, int& port) {
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  return failed == std::errc{} && end == text.data() + text.size() && port >= 0 && port <= 65535;
}

bool parseRange(std::string_view text, Range& range) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) {
    return parsePort(text, range.first) && (range.last = range.first, true);
  }
  return parsePort(text.substr(0, dash), range.first) &&
         parsePort(text.substr(dash + 1), range.last) && range.first <= range.last;
}

/// Splits "ip:host:container" from the right; the IP may be "[v6]".
void splitPublished(std::string_view spec, std::string_view& ip, std::string_view& host,
                    std::string_view& container) {
  const auto last = spec.rfind(':');
  if (last == std::string_view::npos) {
    container = spec;
    return;
  }
  container = spec.substr(last + 1);
  spec = spec.substr(0, last);
  const auto before = spec.rfind(':');
  host = spec.substr(before == std::string_view::npos ? 0 : before + 1);
  ip = before == std::string_view::npos ? "" : spec.substr(0, before);
  if (ip.starts_with('[') && ip.ends_with(']')) {
    ip = ip.substr(1, ip.size() - 2);
  }
}

Result<void> addNumbers(const RunOptions& options, json& host) {
  const auto add_size = [&host](const char* member, const std::string& text) -> Result<void> {
    if (!text.empty()) {
      FLO_TRY_ASSIGN(const auto bytes,
                     text == "-1" ? Result<std::int64_t>(-1) : model::parseByteSize(text));
      host[member] = bytes;
    }
    return {};
  };
  FLO_TRY(add_size("Memory", options.memory));
  FLO_TRY(add_size("MemorySwap", options.memory_swap));
  FLO_TRY(add_size("ShmSize", options.shm_size));
  if (options.cpus != 0) {
    host["NanoCpus"] = std::llround(options.cpus * 1e9);
  }
  if (options.pids_limit != 0) {
    host["PidsLimit"] = options.pids_limit;
  }
  if (options.cpu_shares != 0) {
    host["CpuShares"] = options.cpu_shares;
  }
  return {};
}

Result<json> restartPolicy(const std::string& text) {
  const auto colon = text.find(':');
  json policy = {{"Name", text.substr(0, colon)}};
  if (colon != std::string::npos) {
    int count = 0;
    const auto [end, failed] =
        std::from_chars(text.data() + colon + 1, text.data() + text.size(), count);
    if (failed != std::errc{} || end != text.data() + text.size()) {
      return invalid("invalid restart policy format: maximum retry count must be an integer");
    }
    policy["MaximumRetryCount"] = count;
  }
  return policy;
}

json keyValues(const std::vector<std::string>& items) {
  json out = json::object();
  for (const auto& item : items) {
    const auto equals = item.find('=');
    out[item.substr(0, equals)] = equals == std::string::npos ? "" : item.substr(equals + 1);
  }
  return out;
}

void addEnvironment(const std::string& item, json& list) {
  if (item.find('=') != std::string::npos) {
    list.push_back(item);
    return;
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the client has one thread
  if (const char* value = std::getenv(item.c_str()); value != nullptr) {
    list.push_back(item + "=" + value);
  }
}

Result<json> environment(const RunOptions& options) {
  json list = json::array();
  for (const auto& path : options.env_files) {
    std::ifstream file(path);
    if (!file) {
      return invalid("open " + path + ": no such file or directory");
    }
    for (std::string line; std::getline(file, line);) {
      if (!line.empty() && line.front() != '#') {
        addEnvironment(line, list);
      }
    }
  }
  for (const auto& item : options.env) {
    addEnvironment(item, list);
  }
  return list;
}

/// "/dev/a:/dev/b:rwm"
json device(const std::string& text) {
  const auto first = text.find(':');
  const auto second = first == std::string::npos ? first : text.find(':', first + 1);
  const std::string path = text.substr(0, first);
  return {{"PathOnHost", path},
          {"PathInContainer",
           first == std::string::npos
               ? path
               : text.substr(first + 1, second == std::string::npos ? second : second - first - 1)},
          {"CgroupPermissions", second == std::string::npos ? "rwm" : text.substr(second + 1)}};
}

/// "nofile=100:200"
Result<json> ulimit(const std::string& text) {
  const auto equals = text.find('=');
  const auto colon = text.find(':');
  long long soft = 0;
  long long hard = 0;
  const char* end = text.data() + text.size();
  if (equals == std::string::npos ||
      std::from_chars(text.data() + equals + 1, end, soft).ec != std::errc{}) {
    return invalid("invalid ulimit argument: " + text);
  }
  hard = soft;
  if (colon != std::string::npos &&
      std::from_chars(text.data() + colon + 1, end, hard).ec != std::errc{}) {
    return invalid("invalid ulimit argument: " + text);
  }
  return json{{"Name", text.substr(0, equals)}, {"Soft", soft}, {"Hard", hard}};
}

/// -v and --tmpfs: binds, anonymous volumes, tmpfs mounts.
void addMounts(const RunOptions& options, json& body, json& host) {
  for (const auto& volume : options.volumes) {
    if (volume.find(':') == std::string::npos) {
      body["Volumes"][volume] = json::object();
    } else {
      host["Binds"].push_back(volume);
    }
  }
  for (const auto& item : options.tmpfs) {
    const auto colon = item.find(':');
    host["Tmpfs"][item.substr(0, colon)] = colon == std::string::npos ? "" : item.substr(colon + 1);
  }
}

Result<void> addPorts(const RunOptions& options, json& body, json& host) {
  json bindings = json::object();
  for (const auto& spec : options.publish) {
    FLO_TRY(addPublished(spec, bindings));
  }
  json exposed = json::object();
  for (const auto& item : bindings.items()) {
    exposed[item.key()] = json::object();
  }
  for (const auto& port : options.expose) {
    exposed[port.find('/') == std::string::npos ? port + "/tcp" : port] = json::object();
  }
  if (!exposed.empty()) {
    body["ExposedPorts"] = std::move(exposed);
  }
  host["PortBindings"] = std::move(bindings);
  host["PublishAllPorts"] = options.publish_all;
  return {};
}

Result<void> addHostLists(const RunOptions& options, json& host) {
  const auto add = [&host](const char* member, const std::vector<std::string>& items) {
    if (!items.empty()) {
      host[member] = items;
    }
  };
  add("CapAdd", options.cap_add);
  add("CapDrop", options.cap_drop);
  add("ExtraHosts", options.add_hosts);
  add("Dns", options.dns);
  add("SecurityOpt", options.security);
  add("GroupAdd", options.group_add);
  for (const auto& item : options.devices) {
    host["Devices"].push_back(device(item));
  }
  for (const auto& item : options.ulimits) {
    FLO_TRY_ASSIGN(auto parsed, ulimit(item));
    host["Ulimits"].push_back(std::move(parsed));
  }
  if (!options.sysctls.empty()) {
    host["Sysctls"] = keyValues(options.sysctls);
  }
  return {};
}

Result<json> hostConfig(const RunOptions& options, json& body, std::optional<TerminalSize> size) {
  json host = {{"AutoRemove", options.remove},
               {"Privileged", options.privileged},
               {"ReadonlyRootfs", options.read_only},
               {"NetworkMode", options.network.empty() ? "default" : options.network}};
  if (options.init) {
    host["Init"] = true;
  }
  if (!options.runtime.empty()) {
    host["Runtime"] = options.runtime;
  }
  if (!options.log_driver.empty() || !options.log_options.empty()) {
    host["LogConfig"] = {{"Type", options.log_driver}, {"Config", keyValues(options.log_options)}};
  }
  if (!options.restart.empty()) {
    FLO_TRY_ASSIGN(host["RestartPolicy"], restartPolicy(options.restart));
  }
  if (options.tty && size) {
    host["ConsoleSize"] = {size->rows, size->columns};
  }
  addMounts(options, body, host);
  FLO_TRY(addNumbers(options, host));
  FLO_TRY(addPorts(options, body, host));
  FLO_TRY(addHostLists(options, host));
  return host;
}

}  // namespace

Result<void> addPublished(std::string_view spec, json& bindings) {
  std::string_view rest = spec;
  std::string_view protocol = "tcp";
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    protocol = rest.substr(slash + 1);
    rest = rest.substr(0, slash);
  }
  std::string_view ip;
  std::string_view host;
  std::string_view container;
  splitPublished(rest, ip, host, container);
  Range inside;
  Range outside;
  if (container.empty() || !parseRange(container, inside)) {
    return invalid("invalid containerPort: " + std::string(container));
  }
  if (!host.empty() && !parseRange(host, outside)) {
    return invalid("invalid hostPort: " + std::string(host));
  }
  const bool one_from_range = inside.first == inside.last;
  if (!host.empty() && !one_from_range &&
      outside.last - outside.first != inside.last - inside.first) {
    return invalid("invalid ranges specified for container and host Ports: " +
                   std::string(container) + " and " + std::string(host));
  }
  for (int port = inside.first; port <= inside.last; ++port) {
    const std::string host_port = host.empty() ? ""
                                  : one_from_range
                                      ? std::string(host)
                                      : std::to_string(outside.first + port - inside.first);
    bindings[std::to_string(port) + "/" + std::string(protocol)].push_back(
        {{"HostIp", ip}, {"HostPort", host_port}});
  }
  return {};
}

Result<json> createBody(const RunOptions& options, std::optional<TerminalSize> size) {
  if (options.remove && !options.restart.empty() && options.restart != "no") {
    return invalid("conflicting options: cannot specify both --restart and --rm");
  }
  json body = {{"Image", options.image},
               {"Hostname", options.hostname},
               {"User", options.user},
               {"WorkingDir", options.workdir},
               {"Tty", options.tty},
               {"OpenStdin", options.interactive},
               {"AttachStdout", !options.detach},
               {"AttachStderr", !options.detach},
               {"AttachStdin", options.interactive && !options.detach},
               {"StdinOnce", options.interactive && !options.detach},
               {"Labels", keyValues(options.labels)}};
  FLO_TRY_ASSIGN(body["Env"], environment(options));
  if (!options.command.empty()) {
    body["Cmd"] = options.command;
  }
  if (options.has_entrypoint) {
    body["Entrypoint"] = json::array({options.entrypoint});
  }
  if (!options.stop_signal.empty()) {
    body["StopSignal"] = options.stop_signal;
  }
  if (options.stop_timeout >= 0) {
    body["StopTimeout"] = options.stop_timeout;
  }
  FLO_TRY_ASSIGN(body["HostConfig"], hostConfig(options, body, size));
  return body;
}

void addRunFlags(CLI::App& verb, RunOptions& options) {
  const auto list = [&verb](const char* names, std::vector<std::string>& into, const char* help) {
    verb.add_option(names, into, help)->allow_extra_args(false);
  };
  verb.add_flag("-i,--interactive", options.interactive, "Keep STDIN open even if not attached");
  verb.add_flag("-t,--tty", options.tty, "Allocate a pseudo-TTY");
  verb.add_flag("-d,--detach", options.detach,
                "Run container in background and print container ID");
  verb.add_flag("--rm", options.remove, "Automatically remove the container when it exits");
  verb.add_flag("--read-only", options.read_only,
                "Mount the container's root filesystem as read only");
  verb.add_flag("--privileged", options.privileged, "Give extended privileges to this container");
  verb.add_flag("--init", options.init,
                "Run an init inside the container that forwards signals and reaps processes");
  verb.add_flag("-P,--publish-all", options.publish_all,
                "Publish all exposed ports to random ports");
  verb.add_flag("--sig-proxy", options.signal_proxy,
                "Proxy received signals to the process (default true)");
  verb.add_option("--name", options.name, "Assign a name to the container");
  verb.add_option("-u,--user", options.user, "Username or UID (format: <name|uid>[:<group|gid>])");
  verb.add_option("-w,--workdir", options.workdir, "Working directory inside the container");
  verb.add_option("--hostname", options.hostname, "Container host name");
  verb.add_option("--network,--net", options.network,
                  "Connect a container to a network (bridge, host, none, container:NAME)");
  verb.add_option("--restart", options.restart, "Restart policy to apply when a container exits");
  verb.add_option("--detach-keys", options.detach_keys,
                  "Override the key sequence for detaching a container");
  verb.add_option("-m,--memory", options.memory, "Memory limit");
  verb.add_option("--memory-swap", options.memory_swap,
                  "Swap limit equal to memory plus swap: -1 to enable unlimited swap");
  verb.add_option("--shm-size", options.shm_size, "Size of /dev/shm");
  verb.add_option("--cpus", options.cpus, "Number of CPUs");
  verb.add_option("-c,--cpu-shares", options.cpu_shares, "CPU shares (relative weight)");
  verb.add_option("--pids-limit", options.pids_limit,
                  "Tune container pids limit (set -1 for unlimited)");
  verb.add_option("--stop-signal", options.stop_signal, "Signal to stop the container");
  verb.add_option("--stop-timeout", options.stop_timeout,
                  "Timeout (in seconds) to stop a container");
  verb.add_option("--runtime", options.runtime, "Runtime to use for this container");
  verb.add_option("--log-driver", options.log_driver, "Logging driver for the container");
  verb.add_option("--platform", options.platform,
                  "Set platform if server is multi-platform capable");
  verb.add_option("--entrypoint", options.entrypoint,
                  "Overwrite the default ENTRYPOINT of the image")
      ->each([&options](const std::string&) { options.has_entrypoint = true; });
  list("-p,--publish", options.publish, "Publish a container's port(s) to the host");
  list("--expose", options.expose, "Expose a port or a range of ports");
  list("-v,--volume", options.volumes, "Bind mount a volume");
  list("-e,--env", options.env, "Set environment variables");
  list("--env-file", options.env_files, "Read in a file of environment variables");
  list("-l,--label", options.labels, "Set meta data on a container");
  list("--tmpfs", options.tmpfs, "Mount a tmpfs directory");
  list("--cap-add", options.cap_add, "Add Linux capabilities");
  list("--cap-drop", options.cap_drop, "Drop Linux capabilities");
  list("--add-host", options.add_hosts, "Add a custom host-to-IP mapping (host:ip)");
  list("--dns", options.dns, "Set custom DNS servers");
  list("--security-opt", options.security, "Security Options");
  list("--group-add", options.group_add, "Add additional groups to join");
  list("--device", options.devices, "Add a host device to the container");
  list("--log-opt", options.log_options, "Log driver options");
  list("--sysctl", options.sysctls, "Sysctl options");
  list("--ulimit", options.ulimits, "Ulimit options");
}

}  // namespace flotilla::cli
