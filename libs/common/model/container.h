#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "common/job/job.h"

/// Docker Engine API wire types around containers (API 1.51 names in comments where they differ).
/// Decoding: unknown members are ignored; a known member with a value other than its neutral ones
/// that is not honoured yet is InvalidArgument naming field and value (decisions.md 24).
namespace flotilla::model {

struct ContainerConfig {
  std::string hostname, domainname, user, image, working_dir, stop_signal;
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false;
  bool tty = false, open_stdin = false, stdin_once = false;
  std::optional<std::vector<std::string>> cmd, entrypoint;  // null and absent differ from []
  std::vector<std::string> env;
  std::map<std::string, std::string> labels;
  std::vector<std::string> exposed_ports;  // "80/tcp"
  std::vector<std::string> volumes;        // anonymous: "/data"
  std::optional<int> stop_timeout;         // seconds
  std::string mac_address;
};

struct PortBinding {
  std::string host_ip, host_port;  // as given: "", "8080", "8000-8010"
};

struct Mount {                                    // HostConfig.Mounts
  std::string type, source, target, consistency;  // type: bind, volume, tmpfs
  bool read_only = false;
  std::string propagation;         // BindOptions
  bool create_mountpoint = false;  // BindOptions
  bool no_copy = false;            // VolumeOptions
  std::map<std::string, std::string> volume_labels;
  std::int64_t tmpfs_size = 0;
  unsigned tmpfs_mode = 0;
};

struct Ulimit {
  std::string name;
  std::int64_t soft = 0, hard = 0;
};

struct Device {
  std::string path_on_host, path_in_container, cgroup_permissions;
};

struct HostConfig {
  std::vector<std::string> binds;
  std::vector<Mount> mounts;
  std::vector<std::string> volumes_from;  // "container[:mode]"
  std::string container_id_file;
  std::string log_driver;                          // LogConfig.Type: "", json-file, none
  std::map<std::string, std::string> log_options;  // max-size, max-file, mode
  std::string network_mode = "default";
  std::map<std::string, std::vector<PortBinding>> port_bindings;  // "80/tcp"
  bool publish_all_ports = false;
  std::string restart_policy;  // "", no, always, unless-stopped, on-failure
  int restart_max_retries = 0;
  bool auto_remove = false, privileged = false, read_only_rootfs = false;
  std::optional<bool> init;
  std::vector<std::string> cap_add, cap_drop, dns, dns_options, dns_search, extra_hosts, group_add;
  std::vector<std::string> security_opt;
  std::optional<std::vector<std::string>> masked_paths, readonly_paths;
  std::string ipc_mode, cgroup_parent, cgroupns_mode, pid_mode, uts_mode, userns_mode, runtime,
      isolation;
  std::map<std::string, std::string> tmpfs, sysctls, annotations;
  std::int64_t shm_size = 0;
  int oom_score_adj = 0;
  // resources
  std::int64_t memory = 0, memory_swap = 0, memory_reservation = 0, nano_cpus = 0, cpu_period = 0,
               cpu_quota = 0, cpu_shares = 0;
  std::optional<std::int64_t> memory_swappiness, pids_limit;
  std::optional<bool> oom_kill_disable;
  std::string cpuset_cpus, cpuset_mems;
  std::vector<Ulimit> ulimits;
  std::vector<Device> devices;
  std::vector<std::string> device_cgroup_rules;
  unsigned console_height = 0, console_width = 0;  // ConsoleSize
};

struct EndpointConfig {  // NetworkingConfig.EndpointsConfig
  std::string mac_address, ipv4_address;
  std::vector<std::string> aliases, links;
};

struct CreateRequest {
  ContainerConfig config;
  HostConfig host;
  std::map<std::string, EndpointConfig> endpoints;
};

struct ExecConfig {
  bool attach_stdin = false, attach_stdout = false, attach_stderr = false, tty = false,
       privileged = false;
  bool detach = false;
  std::string detach_keys, user, working_dir;
  std::vector<std::string> env, cmd;
  unsigned console_height = 0, console_width = 0;
};

/// Body of POST /containers/create. Errors: InvalidArgument in Docker's words.
Result<CreateRequest> decodeCreateRequest(const std::string& body, ApiVersion version);
/// Body of POST /containers/{id}/exec.
Result<ExecConfig> decodeExecConfig(const std::string& body, ApiVersion version);

/// For the store: everything above to JSON in the API's own member names and back, losslessly.
std::string encodeConfig(const ContainerConfig& config);
std::string encodeHostConfig(const HostConfig& host);
Result<ContainerConfig> parseConfig(const std::string& json);
Result<HostConfig> parseHostConfig(const std::string& json);

}  // namespace flotilla::model
