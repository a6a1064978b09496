#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/shim/cgroup.h"
#include "engine/shim/process_spawn.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine::shim {

/// Starts the OCI runtime (crun, or runc with the same verbs). The runtime ends once the process
/// runs; that process then is a child of this one, a subreaper.
class Runtime {
 public:
  /// Both outlive this.
  Runtime(const LaunchSpec& spec, Cgroup& cgroup);

  /// `console` is the path of a listening socket for a tty, "" without. Errors: Internal when the
  /// runtime's program cannot be executed. The pid returned is the runtime's own.
  Result<pid_t> run(const StdioFds& stdio, const std::string& console);
  Result<pid_t> exec(const std::string& name, const std::string& process_file,
                     const StdioFds& stdio, const std::string& console);

  /// Changes limits of the running container: `resources` is the text of OCI's linux.resources. The
  /// outcome is under "update".
  Result<pid_t> update(const std::string& resources);

  /// What the runtime left under `name` ("run", or the name given to exec): pid (0 when none) and
  /// log. Removes the files.
  struct Outcome {
    int pid = 0;
    std::string log;
  };
  [[nodiscard]] Outcome takeOutcome(const std::string& name) const;
  /// Removes the runtime's state of this container, as its `delete` would, without its start-up
  /// time.
  void removeState() const;

 private:
  [[nodiscard]] std::string file(const std::string& name, const char* suffix) const;
  [[nodiscard]] std::vector<std::string> base(const std::string& name) const;
  [[nodiscard]] SpawnRequest request(std::vector<std::string> arguments, const StdioFds& stdio);
  Result<pid_t> spawnInside(SpawnRequest request);

  const LaunchSpec& spec_;
  Cgroup& cgroup_;
  std::string directory_;  // the run directory, absolute
  bool is_crun_;
  UniqueFd program_;  // the runtime's file, where it cannot be written to
};

}  // namespace flotilla::engine::shim
