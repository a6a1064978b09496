#pragma once

#include <sys/types.h>

#include <map>
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
  /// `process` is the text of an OCI process.
  Result<pid_t> exec(const std::string& name, const std::string& process, const StdioFds& stdio,
                     const std::string& console);

  /// An exec whose process is yet to be told: the runtime loads itself and the container's state,
  /// inside the container's cgroup, and waits there for proceed(). It ends by itself when this
  /// process does. Errors: Unavailable when it cannot be done so (another runtime than crun, a
  /// cgroup that takes no process).
  Result<pid_t> beginExec(const std::string& name, const StdioFds& stdio,
                          const std::string& console);
  /// Whether it can be told a process of this length.
  bool hasRoom(const std::string& name, std::size_t length);
  /// Tells it the process, once. Errors: Internal when it is gone.
  Result<void> proceed(const std::string& name, const std::string& process);

  /// Changes limits of the running container: `resources` is the text of OCI's linux.resources. The
  /// outcome is under "update".
  Result<pid_t> update(const std::string& resources);

  /// What the runtime left under `name` ("run", or the name given to exec): pid (0 when none) and
  /// log. Nothing is kept of it.
  struct Outcome {
    int pid = 0;
    std::string log;
  };
  [[nodiscard]] Outcome takeOutcome(const std::string& name);
  /// Removes the runtime's state of this container, as its `delete` would, without its start-up
  /// time.
  void removeState() const;

 private:
  /// What a call of crun reads and writes, without a name in any file system: making and removing
  /// files costs more than all that is in them.
  struct Papers {
    UniqueFd process;  // of beginExec(): the pipe's end that takes it
    UniqueFd pid;
    UniqueFd log;
  };

  [[nodiscard]] std::string file(const std::string& name, const char* suffix) const;
  [[nodiscard]] std::vector<std::string> base(const std::string& log) const;
  [[nodiscard]] SpawnRequest request(std::vector<std::string> arguments, const StdioFds& stdio);
  void lighten();
  Result<pid_t> execByFiles(const std::string& name, const std::string& process,
                            const StdioFds& stdio, const std::string& console);
  /// `process`: where crun reads it. `papers` become known under `name` when it runs.
  Result<pid_t> execByPapers(const std::string& name, int process, Papers papers,
                             const StdioFds& stdio, const std::string& console);
  Result<pid_t> spawnInside(SpawnRequest request);

  const LaunchSpec& spec_;
  Cgroup& cgroup_;
  std::string directory_;  // the run directory, absolute
  bool is_crun_;
  bool lightened_ = false;  // what crun reads of the running container
  UniqueFd program_;        // the runtime's file, where it cannot be written to
  std::map<std::string, Papers> papers_;
};

}  // namespace flotilla::engine::shim
