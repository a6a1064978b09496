#include "engine/jobs/config_view.h"

#include <algorithm>

#include "common/model/namespace_mode.h"

namespace flotilla::engine {
namespace {

void writeOptionalList(JsonWriter& out, std::string_view name,
                       const std::optional<std::vector<std::string>>& list) {
  list && !list->empty() ? out.member(name, *list) : out.nullMember(name);
}

void writePortBindings(JsonWriter& out, const model::HostConfig& host) {
  out.key("PortBindings").beginObject();
  for (const auto& [port, bindings] : host.port_bindings) {
    out.key(port).beginArray();
    for (const auto& binding : bindings) {
      out.beginObject()
          .member("HostIp", binding.host_ip)
          .member("HostPort", binding.host_port)
          .endObject();
    }
    out.endArray();
  }
  out.endObject();
}

void writeDevices(JsonWriter& out, const model::HostConfig& host) {
  out.key("Devices").beginArray();
  for (const auto& device : host.devices) {
    out.beginObject()
        .member("PathOnHost", device.path_on_host)
        .member("PathInContainer", device.path_in_container)
        .member("CgroupPermissions", device.cgroup_permissions)
        .endObject();
  }
  out.endArray();
}

void writeUlimits(JsonWriter& out, const model::HostConfig& host) {
  out.key("Ulimits").beginArray();
  for (const auto& limit : host.ulimits) {
    out.beginObject()
        .member("Name", limit.name)
        .member("Hard", limit.hard)
        .member("Soft", limit.soft)
        .endObject();
  }
  out.endArray();
}

void writeMountRequests(JsonWriter& out, const model::HostConfig& host) {
  if (host.mounts.empty()) {
    return;
  }
  out.key("Mounts").beginArray();
  for (const auto& mount : host.mounts) {
    out.beginObject().member("Type", mount.type);
    if (!mount.source.empty()) {
      out.member("Source", mount.source);
    }
    out.member("Target", mount.target);
    if (mount.read_only) {
      out.member("ReadOnly", true);
    }
    if (!mount.consistency.empty()) {
      out.member("Consistency", mount.consistency);
    }
    if (!mount.propagation.empty() || mount.create_mountpoint) {
      out.key("BindOptions").beginObject();
      if (!mount.propagation.empty()) {
        out.member("Propagation", mount.propagation);
      }
      if (mount.create_mountpoint) {
        out.member("CreateMountpoint", true);
      }
      out.endObject();
    }
    if (mount.no_copy || !mount.volume_labels.empty()) {
      out.key("VolumeOptions").beginObject();
      if (mount.no_copy) {
        out.member("NoCopy", true);
      }
      if (!mount.volume_labels.empty()) {
        out.mapMember("Labels", mount.volume_labels);
      }
      out.endObject();
    }
    if (mount.tmpfs_size != 0 || mount.tmpfs_mode != 0) {
      out.key("TmpfsOptions").beginObject();
      if (mount.tmpfs_size != 0) {
        out.member("SizeBytes", mount.tmpfs_size);
      }
      if (mount.tmpfs_mode != 0) {
        out.member("Mode", mount.tmpfs_mode);
      }
      out.endObject();
    }
    out.endObject();
  }
  out.endArray();
}

void writeResources(JsonWriter& out, const model::HostConfig& host) {
  out.member("CpuShares", host.cpu_shares)
      .member("Memory", host.memory)
      .member("NanoCpus", host.nano_cpus)
      .member("CgroupParent", host.cgroup_parent)
      .member("BlkioWeight", 0);
  for (const char* name : {"BlkioWeightDevice", "BlkioDeviceReadBps", "BlkioDeviceWriteBps",
                           "BlkioDeviceReadIOps", "BlkioDeviceWriteIOps"}) {
    out.key(name).raw("[]");
  }
  out.member("CpuPeriod", host.cpu_period)
      .member("CpuQuota", host.cpu_quota)
      .member("CpuRealtimePeriod", 0)
      .member("CpuRealtimeRuntime", 0)
      .member("CpusetCpus", host.cpuset_cpus)
      .member("CpusetMems", host.cpuset_mems);
  writeDevices(out, host);
  out.listOrNull("DeviceCgroupRules", host.device_cgroup_rules)
      .nullMember("DeviceRequests")
      .member("MemoryReservation", host.memory_reservation)
      .member("MemorySwap", host.memory_swap);
  host.memory_swappiness&&* host.memory_swappiness >= 0
      ? out.member("MemorySwappiness", *host.memory_swappiness)
      : out.nullMember("MemorySwappiness");
  host.oom_kill_disable ? out.member("OomKillDisable", *host.oom_kill_disable)
                        : out.nullMember("OomKillDisable");
  host.pids_limit ? out.member("PidsLimit", *host.pids_limit) : out.nullMember("PidsLimit");
  writeUlimits(out, host);
  out.member("CpuCount", 0)
      .member("CpuPercent", 0)
      .member("IOMaximumIOps", 0)
      .member("IOMaximumBandwidth", 0);
}

void writePorts(JsonWriter& out, const ContainerRecord& record) {
  out.key("Ports").beginObject();
  if (record.state.attached && record.state.running()) {
    std::map<std::string, std::vector<const PortBinding*>> ports;
    for (const auto& exposed : record.spec->config.exposed_ports) {
      ports[exposed];
    }
    for (const auto& binding : record.state.endpoint.ports) {
      ports[std::to_string(binding.container_port) + "/" + binding.protocol].push_back(&binding);
    }
    for (const auto& [port, bindings] : ports) {
      out.key(port);
      if (bindings.empty()) {
        out.null();
        continue;
      }
      out.beginArray();
      for (const auto* binding : bindings) {
        out.beginObject()
            .member("HostIp", binding->host_ip)
            .member("HostPort", std::to_string(binding->host_port))
            .endObject();
      }
      out.endArray();
    }
  }
  out.endObject();
}

}  // namespace

void writeConfig(JsonWriter& out, const ContainerSpec& spec) {
  const model::ContainerConfig& config = spec.config;
  out.beginObject()
      .member("Hostname", config.hostname)
      .member("Domainname", config.domainname)
      .member("User", config.user)
      .member("AttachStdin", config.attach_stdin)
      .member("AttachStdout", config.attach_stdout)
      .member("AttachStderr", config.attach_stderr);
  if (!config.exposed_ports.empty()) {
    out.setMember("ExposedPorts", config.exposed_ports);
  }
  out.member("Tty", config.tty)
      .member("OpenStdin", config.open_stdin)
      .member("StdinOnce", config.stdin_once)
      .listOrNull("Env", config.env);
  writeOptionalList(out, "Cmd", config.cmd);
  out.member("Image", spec.image);
  config.volumes.empty() ? out.nullMember("Volumes") : out.setMember("Volumes", config.volumes);
  out.member("WorkingDir", config.working_dir);
  writeOptionalList(out, "Entrypoint", config.entrypoint);
  if (!config.mac_address.empty()) {
    out.member("MacAddress", config.mac_address);
  }
  out.nullMember("OnBuild").mapMember("Labels", config.labels);
  if (!config.stop_signal.empty()) {
    out.member("StopSignal", config.stop_signal);
  }
  if (config.stop_timeout) {
    out.member("StopTimeout", *config.stop_timeout);
  }
  out.endObject();
}

void writeHostConfig(JsonWriter& out, const ContainerSpec& spec) {
  const model::HostConfig& host = spec.host;
  out.beginObject()
      .listOrNull("Binds", host.binds)
      .member("ContainerIDFile", host.container_id_file);
  out.key("LogConfig")
      .beginObject()
      .member("Type", host.log_driver)
      .mapMember("Config", host.log_options)
      .endObject();
  out.member("NetworkMode", host.network_mode);
  writePortBindings(out, host);
  out.key("RestartPolicy")
      .beginObject()
      .member("Name", host.restart_policy)
      .member("MaximumRetryCount", host.restart_max_retries)
      .endObject();
  out.member("AutoRemove", host.auto_remove)
      .member("VolumeDriver", "")
      .listOrNull("VolumesFrom", host.volumes_from);
  out.key("ConsoleSize")
      .beginArray()
      .value(host.console_height)
      .value(host.console_width)
      .endArray();
  if (!host.annotations.empty()) {
    out.mapMember("Annotations", host.annotations);
  }
  out.listOrNull("CapAdd", host.cap_add)
      .listOrNull("CapDrop", host.cap_drop)
      .member("CgroupnsMode", host.cgroupns_mode)
      .member("Dns", host.dns)
      .member("DnsOptions", host.dns_options)
      .member("DnsSearch", host.dns_search)
      .listOrNull("ExtraHosts", host.extra_hosts)
      .listOrNull("GroupAdd", host.group_add)
      .member("IpcMode", host.ipc_mode)
      .member("Cgroup", "")
      .nullMember("Links")
      .member("OomScoreAdj", host.oom_score_adj)
      .member("PidMode", host.pid_mode)
      .member("Privileged", host.privileged)
      .member("PublishAllPorts", host.publish_all_ports)
      .member("ReadonlyRootfs", host.read_only_rootfs)
      .listOrNull("SecurityOpt", host.security_opt);
  if (!host.tmpfs.empty()) {
    out.mapMember("Tmpfs", host.tmpfs);
  }
  out.member("UTSMode", host.uts_mode)
      .member("UsernsMode", host.userns_mode)
      .member("ShmSize", host.shm_size);
  if (!host.sysctls.empty()) {
    out.mapMember("Sysctls", host.sysctls);
  }
  out.member("Runtime", host.runtime).member("Isolation", host.isolation);
  writeResources(out, host);
  writeMountRequests(out, host);
  host.masked_paths ? out.member("MaskedPaths", *host.masked_paths) : out.nullMember("MaskedPaths");
  host.readonly_paths ? out.member("ReadonlyPaths", *host.readonly_paths)
                      : out.nullMember("ReadonlyPaths");
  if (host.init) {
    out.member("Init", *host.init);
  }
  out.endObject();
}

void writeNetworks(JsonWriter& out, const ContainerRecord& record) {
  out.beginObject();
  const ContainerSpec& spec = *record.spec;
  if (!model::NamespaceMode::parse(spec.host.network_mode).isContainer()) {
    const bool live = record.state.attached && record.state.running();
    const Endpoint none;
    const Endpoint& endpoint = live ? record.state.endpoint : none;
    const auto asked = spec.endpoints.find(spec.host.network_mode);
    out.key(spec.host.network_mode).beginObject();
    if (asked != spec.endpoints.end() && !asked->second.ipv4_address.empty()) {
      out.key("IPAMConfig")
          .beginObject()
          .member("IPv4Address", asked->second.ipv4_address)
          .endObject();
    } else {
      out.nullMember("IPAMConfig");
    }
    out.nullMember("Links").nullMember("Aliases");
    out.member("MacAddress", endpoint.mac_address)
        .nullMember("DriverOpts")
        .member("GwPriority", 0)
        .member("NetworkID", record.state.endpoint.network_id)
        .member("EndpointID", endpoint.endpoint_id)
        .member("Gateway", endpoint.gateway)
        .member("IPAddress", endpoint.ipv4_address)
        .member("IPPrefixLen", endpoint.prefix_length)
        .member("IPv6Gateway", "")
        .member("GlobalIPv6Address", "")
        .member("GlobalIPv6PrefixLen", 0)
        .nullMember("DNSNames")
        .endObject();
  }
  out.endObject();
}

void writeNetworkSettings(JsonWriter& out, const ContainerRecord& record) {
  const bool live = record.state.attached && record.state.running();
  const Endpoint none;
  const Endpoint& endpoint = live ? record.state.endpoint : none;
  // The flat members are those of the default bridge alone.
  const bool flat = live && endpoint.network == "bridge";
  out.beginObject()
      .member("Bridge", "")
      .member("SandboxID", endpoint.sandbox_id)
      .member("SandboxKey", endpoint.sandbox_key);
  writePorts(out, record);
  out.member("HairpinMode", false)
      .member("LinkLocalIPv6Address", "")
      .member("LinkLocalIPv6PrefixLen", 0)
      .nullMember("SecondaryIPAddresses")
      .nullMember("SecondaryIPv6Addresses")
      .member("EndpointID", flat ? endpoint.endpoint_id : "")
      .member("Gateway", flat ? endpoint.gateway : "")
      .member("GlobalIPv6Address", "")
      .member("GlobalIPv6PrefixLen", 0)
      .member("IPAddress", flat ? endpoint.ipv4_address : "")
      .member("IPPrefixLen", flat ? endpoint.prefix_length : 0)
      .member("IPv6Gateway", "")
      .member("MacAddress", flat ? endpoint.mac_address : "");
  out.key("Networks");
  writeNetworks(out, record);
  out.endObject();
}

void writeMounts(JsonWriter& out, const ContainerSpec& spec, MountDetail detail) {
  out.beginArray();
  for (const MountPoint& mount : spec.mounts) {
    if (spec.host.tmpfs.contains(mount.destination)) {
      continue;  // --tmpfs is shown in HostConfig only
    }
    const bool hidden = detail == MountDetail::List && mount.anonymous;
    out.beginObject().member("Type", mount.type);
    if (!mount.name.empty()) {
      out.member("Name", mount.name);
    }
    out.member("Source", hidden ? "" : mount.source).member("Destination", mount.destination);
    if (!mount.driver.empty()) {
      out.member("Driver", mount.driver);
    }
    out.member("Mode", mount.mode)
        .member("RW", mount.writable)
        .member("Propagation", mount.type == "bind" ? mount.propagation : "")
        .endObject();
  }
  out.endArray();
}

}  // namespace flotilla::engine
