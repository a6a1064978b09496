#include "engine/lifecycle/launcher.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <utility>

#include "common/model/namespace_mode.h"
#include "common/model/port_spec.h"
#include "common/model/start_validate.h"
#include "engine/lifecycle/container_files.h"
#include "engine/lifecycle/process_signal.h"
#include "engine/runtime/oci_spec.h"
#include "engine/store/container_store.h"

namespace flotilla::engine {
namespace {

shim::LogConfig logConfig(const Paths& paths, const ContainerRecord& record) {
  const model::HostConfig& host = record.spec->host;
  shim::LogConfig log;
  if (host.log_driver == "none") {
    return log;
  }
  log.path = paths.log(record.id);
  if (const auto options = model::parseJsonFileOptions(host.log_options)) {
    if (options->max_size) {
      log.max_size = static_cast<std::uint64_t>(*options->max_size);
    }
    log.max_files = options->max_files.value_or(log.max_files);
  }
  const auto mode = host.log_options.find("mode");
  log.non_blocking = mode != host.log_options.end() && mode->second == "non-blocking";
  return log;
}

shim::RestartPolicy restartPolicy(const model::HostConfig& host) {
  shim::RestartPolicy policy;
  policy.name = host.restart_policy.empty() ? "no" : host.restart_policy;
  policy.max_retries = static_cast<unsigned>(std::max(0, host.restart_max_retries));
  return policy;
}

std::string upperCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

bool isProc(const std::string& path) {
  struct statfs file_system {};
  return ::statfs(path.c_str(), &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC;
}

/// What dockerd and its runtime refuse when a container starts, and not before.
Result<void> checkStart(const ContainerSpec& spec, const std::string& rootfs) {
  FLO_TRY(model::validateStart(spec.host));
  for (const MountPoint& mount : spec.mounts) {
    const bool tmpfs = mount.type == "tmpfs";
    FLO_TRY(model::checkProcMount(tmpfs ? "tmpfs" : mount.source, mount.destination, rootfs,
                                  !tmpfs && isProc(mount.source)));
  }
  return {};
}

/// False when the number of a process that ended belongs to another now, perhaps one of the host's.
bool hasItsProcess(const ContainerState& state) {
  return state.pid_start == 0 || processStartTime(state.pid) == state.pid_start;
}

bool isShared(const std::string& propagation) {
  return propagation == "shared" || propagation == "rshared";
}

}  // namespace

Result<std::vector<PortRequest>> portRequests(const ContainerSpec& spec) {
  FLO_TRY_ASSIGN(const auto published, model::collectPublishedPorts(spec.config, spec.host));
  std::vector<PortRequest> requests;
  for (const auto& port : published) {
    requests.push_back({port.container.protocol, port.container.port, port.host_ip, port.host.first,
                        port.host.last});
  }
  return requests;
}

Result<void> Launcher::prepare(const ContainerRecord& record) {
  if (record.state.prepared && parts_.runtime.alive(record.id)) {
    return {};
  }
  FLO_TRY_ASSIGN(auto shim_lock, parts_.runtime.reserve(record.id));
  // An exit is told before its shim has left: only now is all known that it wrote, and with it the
  // number of the next line.
  FLO_TRY(consumer_.consume(record.id));
  FLO_TRY_ASSIGN(const auto current, parts_.catalog.get(record.id));
  if (current->state.run != record.state.run) {
    return Error{ErrorKind::Conflict, "container " + record.id + " was started meanwhile"};
  }
  return launch(*current, std::move(shim_lock));
}

Result<bool> Launcher::replace(const ContainerRecord& record) {
  FLO_TRY(consumer_.consume(record.id));
  FLO_TRY_ASSIGN(const auto now, parts_.catalog.get(record.id));
  // A start, also one that failed, is another run; without its last line the shim has not left by
  // itself.
  if (now->state.prepared || now->state.run != record.state.run || now->state.running()) {
    return false;
  }
  undo(record.id);
  FLO_TRY(prepare(*now));
  return true;
}

Result<void> Launcher::launch(const ContainerRecord& record, UniqueFd shim_lock) {
  FLO_TRY(makeContainerFolders(parts_.paths, record.id));
  FLO_TRY_ASSIGN(auto net, network(record));
  auto prepared = [&]() -> Result<void> {
    FLO_TRY(checkStart(*record.spec, parts_.paths.container(record.id) + "/rootfs"));
    FLO_TRY(
        writeNetworkFiles(parts_.paths, record, net.endpoint.ipv4_address, net.endpoint.gateway));
    FLO_TRY_ASSIGN(auto launch, request(record));
    FLO_TRY_ASSIGN(launch.config_json, specJson(record, launch, net.netns.has_value()));
    launch.lock = std::move(shim_lock);
    launch.netns = std::move(net.netns);
    launch.port_holders = std::move(net.port_holders);
    // Before go: after a crash the endpoint of a container that runs must be known.
    FLO_TRY(parts_.database.write(Durability::Relaxed, [&](Transaction& transaction) {
      return changeState(transaction, record.id, [&](ContainerState& state) -> Result<void> {
        state.attached = net.attached;
        state.endpoint = net.endpoint;
        state.prepared = true;
        state.attach_error.clear();  // told by the start that finds it in its own record
        return {};
      });
    }));
    return parts_.runtime.launch(std::move(launch));
  }();
  if (prepared) {
    prepared = watcher_.watch(record.id);
  }
  if (!prepared) {
    undo(record.id);
  }
  return prepared;
}

void Launcher::undo(const std::string& id) {
  parts_.runtime.end(id);
  static_cast<void>(parts_.networks.release(id).has_value());  // its own log says what failed
  static_cast<void>(parts_.database
                        .write(Durability::Relaxed,
                               [&](Transaction& transaction) {
                                 return changeState(transaction, id,
                                                    [](ContainerState& state) -> Result<void> {
                                                      state.attached = false;
                                                      state.prepared = false;
                                                      return {};
                                                    });
                               })
                        .has_value());
}

Result<Launcher::Network> Launcher::network(const ContainerRecord& record) {
  const ContainerSpec& spec = *record.spec;
  const auto mode = model::NamespaceMode::parse(spec.host.network_mode);
  if (mode.isContainer()) {
    return sharedNetwork(mode.name);
  }
  AttachRequest attach;
  attach.container_id = record.id;
  attach.network = spec.host.network_mode;
  attach.mac_address = spec.config.mac_address;
  const auto endpoint = spec.endpoints.find(spec.host.network_mode);
  if (endpoint != spec.endpoints.end()) {
    attach.ipv4_address = endpoint->second.ipv4_address;
    if (!endpoint->second.mac_address.empty()) {
      attach.mac_address = endpoint->second.mac_address;
    }
  }
  FLO_TRY_ASSIGN(attach.ports, portRequests(spec));
  auto attached = parts_.networks.attach(attach, record.name);
  if (!attached && attached.error().kind() == ErrorKind::NotFound) {
    return std::move(attached).error().context("failed to set up container networking");
  }
  FLO_TRY_ASSIGN(auto attachment, std::move(attached));
  Network net;
  if (attachment.netns.valid()) {
    net.netns = std::move(attachment.netns);
  }
  net.port_holders = std::move(attachment.port_holders);
  net.endpoint = std::move(attachment.endpoint);
  net.attached = true;
  return net;
}

Result<Launcher::Network> Launcher::sharedNetwork(const std::string& other) {
  auto found = parts_.catalog.get(other);
  if (!found) {
    return std::move(found).error().context("joining network namespace of container");
  }
  const auto& target = *found;
  if (target->state.pid == 0) {
    return Error{ErrorKind::Conflict,
                 "cannot join network namespace of a non running container: container " +
                     target->name + " is " + std::string(statusName(target->state.status))};
  }
  const std::string path = "/proc/" + std::to_string(target->state.pid) + "/ns/net";
  UniqueFd netns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int error = errno;
  if (!hasItsProcess(target->state)) {  // after opening: what was opened is its own
    return Error{
        ErrorKind::Conflict,
        "cannot join network namespace of a non running container: the process of container " +
            target->name + " is gone"};
  }
  if (!netns) {
    return sysError("open " + path, error);
  }
  Network net;
  net.netns = std::move(netns);
  return net;
}

/// Path of a namespace of the container that `mode` names; "" when it names none.
Result<std::string> Launcher::namespaceOf(const std::string& mode, const char* kind) {
  const auto parsed = model::NamespaceMode::parse(mode);
  if (!parsed.isContainer()) {
    return std::string();
  }
  FLO_TRY_ASSIGN(const auto target, parts_.catalog.get(parsed.name));
  if (target->state.pid == 0 || !hasItsProcess(target->state)) {
    return Error{ErrorKind::Conflict, std::string("failed to join ") + upperCase(kind) +
                                          " namespace: container " + target->id +
                                          " is not running"};
  }
  return "/proc/" + std::to_string(target->state.pid) + "/ns/" + kind;
}

/// --ipc container: shows the other container's /dev/shm.
Result<std::string> Launcher::sharedShm(const ContainerRecord& record) {
  const auto parsed = model::NamespaceMode::parse(record.spec->host.ipc_mode);
  if (!parsed.isContainer()) {
    return std::string();
  }
  FLO_TRY_ASSIGN(const auto target, parts_.catalog.get(parsed.name));
  if (target->state.pid == 0 || !hasItsProcess(target->state)) {
    return Error{ErrorKind::Conflict,
                 "failed to join IPC namespace: container " + target->id + " is not running"};
  }
  return "/proc/" + std::to_string(target->state.pid) + "/root/dev/shm";
}

Result<LaunchRequest> Launcher::request(const ContainerRecord& record) {
  const ContainerSpec& spec = *record.spec;
  const std::string base = parts_.paths.container(record.id);
  LaunchRequest launch;
  shim::LaunchSpec& out = launch.spec;
  out.container_id = record.id;
  out.bundle = parts_.paths.bundle(record.id);
  out.journal = parts_.paths.journal(record.id);
  out.runtime = parts_.facts.runtime_path;
  out.runtime_root = parts_.paths.runtimeRoot();
  out.cgroup_path = cgroupPath(record.id);
  out.overlay.link_dir = parts_.images.linkDir();
  FLO_TRY_ASSIGN(out.overlay.lower, parts_.images.lowerDirs(spec.chain_ids));
  out.overlay.upper = base + "/upper";
  out.overlay.work = base + "/work";
  out.overlay.merged = base + "/rootfs";
  out.tty = spec.config.tty;
  out.open_stdin = spec.config.open_stdin;
  out.stdin_once = spec.config.stdin_once;
  out.init = spec.host.init.value_or(false);
  out.height = spec.host.console_height;
  out.width = spec.host.console_width;
  out.log = logConfig(parts_.paths, record);
  out.restart = restartPolicy(spec.host);
  out.oom_score_adj = spec.host.oom_score_adj;
  out.first_seq = record.state.journal_seq + 1;
  out.run = record.state.run;
  for (const MountPoint& mount : spec.mounts) {
    if (mount.type != "tmpfs") {
      launch.binds.push_back({mount.source, mount.make_source});
      out.binds.push_back({mount.source, isShared(mount.propagation), true});
    }
  }
  return launch;
}

Result<std::string> Launcher::specJson(const ContainerRecord& record, const LaunchRequest& request,
                                       bool has_netns) {
  const ContainerSpec& spec = *record.spec;
  const std::string base = parts_.paths.container(record.id);
  SpecInput input;
  input.config = &spec.config;
  input.host = &spec.host;
  input.container_id = record.id;
  input.rootfs = request.spec.overlay.merged;
  input.hosts_path = base + "/hosts";
  input.hostname_path = base + "/hostname";
  input.resolv_path = base + "/resolv.conf";
  input.netns_path = has_netns ? "/proc/self/fd/" + std::to_string(shim::kNetnsFd) : "";
  input.cgroup_path = request.spec.cgroup_path;
  input.cgroup_v2 = parts_.facts.host.cgroup_v2;
  input.raw_seccomp = parts_.facts.runtime_name == "crun";
  input.capabilities = parts_.facts.host.capabilities;
  FLO_TRY_ASSIGN(input.pid_ns_path, namespaceOf(spec.host.pid_mode, "pid"));
  FLO_TRY_ASSIGN(input.ipc_ns_path, namespaceOf(spec.host.ipc_mode, "ipc"));
  FLO_TRY_ASSIGN(input.shm_path, sharedShm(record));
  if (request.spec.init) {
    input.init_path = parts_.facts.init_path;
  }
  std::size_t bind = 0;
  for (const MountPoint& mount : spec.mounts) {
    SpecMount out;
    out.destination = mount.destination;
    out.read_only = !mount.writable;
    if (mount.type == "tmpfs") {
      out.kind = SpecMount::Kind::Tmpfs;
      out.options = mount.options;
    } else {
      out.source = parts_.paths.runContainer(record.id) + "/binds/" + std::to_string(bind++);
      out.propagation = mount.propagation;
    }
    input.mounts.push_back(std::move(out));
  }
  return buildOciSpec(input);
}

}  // namespace flotilla::engine
