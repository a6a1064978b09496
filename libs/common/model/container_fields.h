#pragma once

#include "common/model/container.h"
#include "common/model/wire_archive.h"

/// The one table of member names (and of Go's types, which error messages name) of the wire types.
/// Each describe() serves both archives. Internal to common/model.
namespace flotilla::model {

template <class Archive>
void describe(Archive& ar, ContainerConfig& c) {
  ar("Hostname", c.hostname);
  ar("Domainname", c.domainname);
  ar("User", c.user);
  ar("AttachStdin", c.attach_stdin);
  ar("AttachStdout", c.attach_stdout);
  ar("AttachStderr", c.attach_stderr);
  ar("ExposedPorts", KeySet{c.exposed_ports}, "nat.PortSet");
  ar("Tty", c.tty);
  ar("OpenStdin", c.open_stdin);
  ar("StdinOnce", c.stdin_once);
  ar("Env", c.env);
  ar("Cmd", stringOrList(c.cmd));
  ar("Image", c.image);
  ar("Volumes", KeySet{c.volumes}, "map[string]struct {}");
  ar("WorkingDir", c.working_dir);
  ar("Entrypoint", stringOrList(c.entrypoint));
  ar("MacAddress", c.mac_address);
  ar("Labels", c.labels);
  ar("StopSignal", c.stop_signal);
  ar("StopTimeout", c.stop_timeout);
}

template <class Archive>
void describe(Archive& ar, PortBinding& p) {
  ar("HostIp", p.host_ip);
  ar("HostPort", p.host_port);
}

template <class Archive>
void describe(Archive& ar, Mount& m) {
  ar("Type", m.type, "mount.Type");
  ar("Source", m.source);
  ar("Target", m.target);
  ar("ReadOnly", m.read_only);
  ar("Consistency", m.consistency, "mount.Consistency");
  ar.nested("BindOptions", "mount.BindOptions", [&] {
    ar("Propagation", m.propagation, "mount.Propagation");
    ar("CreateMountpoint", m.create_mountpoint);
  });
  ar.nested("VolumeOptions", "mount.VolumeOptions", [&] {
    ar("NoCopy", m.no_copy);
    ar("Labels", m.volume_labels);
  });
  ar.nested("TmpfsOptions", "mount.TmpfsOptions", [&] {
    ar("SizeBytes", m.tmpfs_size);
    ar("Mode", m.tmpfs_mode, "fs.FileMode");
  });
}

template <class Archive>
void describe(Archive& ar, Ulimit& u) {
  ar("Name", u.name);
  ar("Hard", u.hard);
  ar("Soft", u.soft);
}

template <class Archive>
void describe(Archive& ar, Device& d) {
  ar("PathOnHost", d.path_on_host);
  ar("PathInContainer", d.path_in_container);
  ar("CgroupPermissions", d.cgroup_permissions);
}

template <class Archive>
void describeResources(Archive& ar, HostConfig& h) {
  ar("Memory", h.memory);
  ar("MemorySwap", h.memory_swap);
  ar("MemoryReservation", h.memory_reservation);
  ar("MemorySwappiness", h.memory_swappiness);
  ar("NanoCpus", h.nano_cpus);
  ar("CpuPeriod", h.cpu_period);
  ar("CpuQuota", h.cpu_quota);
  ar("CpuShares", h.cpu_shares);
  ar("CpusetCpus", h.cpuset_cpus);
  ar("CpusetMems", h.cpuset_mems);
  ar("PidsLimit", h.pids_limit);
  ar("OomKillDisable", h.oom_kill_disable);
  ar("Ulimits", h.ulimits, "[]*units.Ulimit");
  ar("Devices", h.devices, "[]container.DeviceMapping");
  ar("DeviceCgroupRules", h.device_cgroup_rules);
  ar("CgroupParent", h.cgroup_parent);
}

template <class Archive>
void describeIsolation(Archive& ar, HostConfig& h) {
  ar("CapAdd", stringOrList(h.cap_add));
  ar("CapDrop", stringOrList(h.cap_drop));
  ar("CgroupnsMode", h.cgroupns_mode, "container.CgroupnsMode");
  ar("IpcMode", h.ipc_mode, "container.IpcMode");
  ar("PidMode", h.pid_mode, "container.PidMode");
  ar("UTSMode", h.uts_mode, "container.UTSMode");
  ar("UsernsMode", h.userns_mode, "container.UsernsMode");
  ar("Privileged", h.privileged);
  ar("ReadonlyRootfs", h.read_only_rootfs);
  ar("SecurityOpt", h.security_opt);
  ar("MaskedPaths", h.masked_paths);
  ar("ReadonlyPaths", h.readonly_paths);
  ar("GroupAdd", h.group_add);
  ar("OomScoreAdj", h.oom_score_adj);
  ar("Runtime", h.runtime);
  ar("Isolation", h.isolation, "container.Isolation");
}

/// ConsoleSize is a pair [height, width].
void readConsoleSize(WireReader& reader, unsigned& height, unsigned& width);

template <class Archive>
void describe(Archive& ar, HostConfig& h) {
  ar("Binds", h.binds);
  ar("Mounts", h.mounts, "[]mount.Mount");
  ar("VolumesFrom", h.volumes_from);
  ar("ContainerIDFile", h.container_id_file);
  ar.nested("LogConfig", "container.LogConfig", [&] {
    ar("Type", h.log_driver);
    ar("Config", h.log_options);
  });
  ar("NetworkMode", h.network_mode, "container.NetworkMode");
  ar("PortBindings", h.port_bindings, "nat.PortMap|[]nat.PortBinding");
  ar("PublishAllPorts", h.publish_all_ports);
  ar.nested("RestartPolicy", "container.RestartPolicy", [&] {
    ar("Name", h.restart_policy, "container.RestartPolicyMode");
    ar("MaximumRetryCount", h.restart_max_retries);
  });
  ar("AutoRemove", h.auto_remove);
  ar("Init", h.init);
  ar("Dns", h.dns);
  ar("DnsOptions", h.dns_options);
  ar("DnsSearch", h.dns_search);
  ar("ExtraHosts", h.extra_hosts);
  ar("Tmpfs", h.tmpfs);
  ar("Sysctls", h.sysctls);
  ar("Annotations", h.annotations);
  ar("ShmSize", h.shm_size);
  describeIsolation(ar, h);
  describeResources(ar, h);
  if constexpr (std::is_same_v<Archive, WireReader>) {
    readConsoleSize(ar, h.console_height, h.console_width);
  } else {
    ar("ConsoleSize", std::vector<unsigned>{h.console_height, h.console_width});
  }
}

template <class Archive>
void describe(Archive& ar, EndpointConfig& e) {
  ar("MacAddress", e.mac_address);
  ar("Aliases", e.aliases);
  ar("Links", e.links);
  ar.nested("IPAMConfig", "network.EndpointIPAMConfig", [&] { ar("IPv4Address", e.ipv4_address); });
}

template <class Archive>
void describe(Archive& ar, ExecConfig& e) {
  ar("User", e.user);
  ar("Privileged", e.privileged);
  ar("Tty", e.tty);
  ar("AttachStdin", e.attach_stdin);
  ar("AttachStderr", e.attach_stderr);
  ar("AttachStdout", e.attach_stdout);
  ar("Detach", e.detach);
  ar("DetachKeys", e.detach_keys);
  ar("Env", e.env);
  ar("WorkingDir", e.working_dir);
  ar("Cmd", e.cmd);
  if constexpr (std::is_same_v<Archive, WireReader>) {
    readConsoleSize(ar, e.console_height, e.console_width);
  } else {
    ar("ConsoleSize", std::vector<unsigned>{e.console_height, e.console_width});
  }
}

}  // namespace flotilla::model
