#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/model/capabilities.h"
#include "common/model/container.h"

namespace flotilla::engine {

/// One mount of the container beyond Docker's defaults, in order.
struct SpecMount {
  enum class Kind { Bind, Tmpfs } kind = Kind::Bind;
  std::string source;  // Bind: where the shim puts the passed tree
  std::string destination;
  bool read_only = false;
  std::string propagation;           // "" = rprivate
  std::vector<std::string> options;  // Tmpfs: size=, mode=, ...
};

struct SpecInput {
  const model::ContainerConfig* config = nullptr;  // merged with the image's
  const model::HostConfig* host = nullptr;         // after model::applyDefaults()
  std::string container_id;
  std::string rootfs;                                  // path of the overlay's mount point
  std::string hosts_path, hostname_path, resolv_path;  // "" = not mounted
  std::vector<SpecMount> mounts;
  std::string netns_path;                // "/proc/self/fd/4"; "" = the host's
  std::string pid_ns_path, ipc_ns_path;  // of the other container, with --pid or --ipc container:
  std::string shm_path;  // directory to show as /dev/shm (--ipc shareable, container:), "" = a
                         // tmpfs of its own
  std::string cgroup_path;
  std::string init_path;  // host path of docker-init's equivalent when --init
  bool cgroup_v2 = false;
  bool raw_seccomp = true;  // the runtime is crun, which takes the finished filter (seccomp_bpf.h);
                            // false for others
  model::CapabilitySet capabilities = 0;  // the engine's own bounding set (ownCapabilities())
};

/// config.json as dockerd 28.5 would have it: capabilities (decisions.md 10), seccomp (9), masked
/// and read-only paths, namespaces, devices, cgroup limits, rlimits, sysctls, mounts.
/// The user is resolved by the shim (it sees the mounted root): process.user is 0:0 here and the
/// annotations "org.flotilla.user" and "org.flotilla.group_add" (a JSON list) carry the texts as
/// given. Looks at the host's /dev. Errors: InvalidArgument in Docker's words.
Result<std::string> buildOciSpec(const SpecInput& input);

/// The process file of an exec: an OCI process object from the container's spec and the exec's
/// config, with members "org.flotilla.user" and "org.flotilla.group_add" for the shim.
/// Errors: InvalidArgument; Internal when the spec is not one of ours.
Result<std::string> buildExecProcess(const std::string& container_spec_json,
                                     const model::ExecConfig& exec,
                                     model::CapabilitySet capabilities);

/// Environment as dockerd makes it: `base`, then `overrides` replacing entries of the same name in
/// place; an override without "=" removes the name.
std::vector<std::string> mergeEnvironment(std::vector<std::string> base,
                                          const std::vector<std::string>& overrides);

}  // namespace flotilla::engine
