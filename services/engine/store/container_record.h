#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/model/container.h"
#include "engine/network/network_manager.h"

namespace flotilla::engine {

enum class ContainerStatus { Created, Running, Paused, Restarting, Removing, Exited, Dead };

/// Docker's word for a status ("running"), and back; unknown words are Dead.
std::string_view statusName(ContainerStatus status);
ContainerStatus statusFromName(std::string_view name);

/// One mount beyond the defaults, resolved when the container was created.
struct MountPoint {
  std::string type;    // bind, volume, tmpfs
  std::string name;    // volume: its name
  std::string source;  // host path; volume: its _data directory
  std::string destination;
  std::string driver;  // volume: "local"
  std::string mode;    // as given: "ro,z"
  std::string propagation;
  bool writable = true;
  bool make_source = false;  // bind by -v: a missing source becomes a directory
  bool copy_up = false;      // volume: takes the image's content on first use
  bool anonymous = false;    // volume made for this container alone; goes with rm -v and --rm
  std::vector<std::string> options;  // tmpfs: size=, mode=
};

/// What a container was created with. Immutable; `update` replaces the whole.
struct ContainerSpec {
  std::string image;                   // as the client named it
  std::string image_id;                // sha256:<hex>
  std::vector<std::string> chain_ids;  // lowest layer first
  std::string path;                    // program and
  std::vector<std::string> args;       // its arguments, from entrypoint and command
  model::ContainerConfig config;       // merged with the image's
  model::HostConfig host;
  std::map<std::string, model::EndpointConfig> endpoints;
  std::vector<MountPoint> mounts;
};

/// What changes while a container lives.
struct ContainerState {
  ContainerStatus status = ContainerStatus::Created;
  int pid = 0;
  std::uint64_t pid_start = 0;  // tells a reused pid from ours
  std::string boot;             // boot id of the run
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;
  std::int64_t started_ns = 0;  // since the epoch; 0 = never
  std::int64_t finished_ns = 0;
  int restart_count = 0;
  bool manually_stopped = false;  // by a user: no restart policy applies
  unsigned run = 0;               // number of starts so far
  std::uint64_t journal_seq = 0;  // journal lines up to this one are in this row
  bool attached = false;          // `endpoint` is in force
  bool prepared = false;          // a shim was launched that waits for the next start
  Endpoint endpoint;
  std::string attach_error;  // why who is attached has no streams: fails the next start

  [[nodiscard]] bool running() const {
    return status == ContainerStatus::Running || status == ContainerStatus::Paused ||
           status == ContainerStatus::Restarting;
  }
};

struct ContainerRecord {
  std::string id;    // 64 hex digits
  std::string name;  // without the slash
  std::int64_t created_ns = 0;
  std::uint64_t revision = 0;  // grows with every change of any container
  std::uint64_t spec_revision = 0;
  std::shared_ptr<const ContainerSpec> spec;  // shared by all snapshots of one container
  ContainerState state;
};

using ContainerRecordPtr = std::shared_ptr<const ContainerRecord>;

/// For the store: JSON of the project's own, losslessly. decode Errors: Internal.
std::string encodeSpec(const ContainerSpec& spec);
Result<ContainerSpec> decodeSpec(const std::string& text);
std::string encodeEndpoint(const Endpoint& endpoint);
Endpoint decodeEndpoint(const std::string& text);

}  // namespace flotilla::engine
