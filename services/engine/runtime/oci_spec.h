#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/model/container.h"

namespace flotilla::engine {

/// One mount of the container beyond Docker's defaults, in order.
struct SpecMount {
  enum class Kind { Bind, Tmpfs } kind = Kind::Bind;
  std::string source;         // Bind: where the shim puts the passed tree
  std::string destination;
  bool read_only = false;
  std::string propagation;    // "" = rprivate
  std::vector<std::string> options;  // Tmpfs: size=, mode=, ...
};

struct SpecInput {
  const model::ContainerConfig* config = nullptr;   // merged with the image's
  const model::HostConfig* host = nullptr;
  std::string container_id;
  std::string rootfs;              // path of the overlay's mount point
  std::string hosts_path, hostname_path, resolv_path;  // "" = not mounted
  std::vector<SpecMount> mounts;
  std::string netns_path;          // "/proc/self/fd/4"; "" = the host's
  std::string cgroup_path;
  std::string init_path;           // host path of docker-init's equivalent when --init
};

/// config.json as dockerd 28.5 would have it: capabilities (decisions.md 10), seccomp (9), masked
/// and read-only paths, namespaces, devices, cgroup limits, rlimits, sysctls, mounts.
/// The user is resolved by the shim (it sees the mounted root): process.user carries what is known
/// and the annotation "org.flotilla.user" the text as given. Errors: InvalidArgument in Docker's words.
Result<std::string> buildOciSpec(const SpecInput& input);

/// process object for `exec` (OCI), from the container's spec and the exec's config.
Result<std::string> buildExecProcess(const std::string& container_spec_json, const model::ExecConfig& exec);

}  // namespace flotilla::engine
