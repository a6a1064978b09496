#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/job/job.h"
#include "common/os/unique_fd.h"
#include "engine/runtime/journal.h"
#include "engine/runtime/shim_client.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine {

/// A host path that a container gets as a bind mount.
struct BindSource {
  std::string path;
  bool make_directory = false;  // when there is nothing at `path` (docker run -v)
};

/// All a shim needs. LaunchSpec::binds is filled in from `binds`, in order.
struct LaunchRequest {
  UniqueFd lock;  // from ContainerRuntime::reserve()
  shim::LaunchSpec spec;
  std::string config_json;  // the bundle's config.json
  std::vector<BindSource> binds;
  std::optional<UniqueFd> netns;
  std::vector<UniqueFd> port_holders;
};

/// A process that may be gone and its number reused.
struct ProcessRef {
  int pid = 0;
  std::uint64_t start_time = 0;
};

/// Runs containers: their shims, processes and journals. By container id. Thread-safe; calls block
/// up to a deadline of their own, except where said. Errors: Unavailable when no shim lives;
/// otherwise as Docker words them.
class ContainerRuntime {
 public:
  virtual ~ContainerRuntime() = default;

  /// A container will soon be started: what can be made ready for that is, in the background.
  virtual void expectStart() = 0;
  /// The right to start the shim of `id`: waits until the one of an earlier run has left, and keeps
  /// others out until it is dropped. What that one wrote to the journal is all there now, and the
  /// numbers of the next lines follow. Errors: Unavailable when it does not leave.
  virtual Result<UniqueFd> reserve(const std::string& id) = 0;
  /// Starts a shim that waits for go().
  virtual Result<void> launch(LaunchRequest request) = 0;
  [[nodiscard]] virtual bool alive(const std::string& id) = 0;
  /// Starts the process, as run number `run`. The journal has the outcome before this returns. The
  /// same run may be asked for again while it starts or runs.
  virtual Result<void> go(const std::string& id, unsigned run) = 0;
  /// A shim that has not been told to go leaves. A missing one is fine.
  virtual void end(const std::string& id) = 0;

  /// Ends a shim whatever it does: its processes are killed and not started again. It leaves soon
  /// after. A missing one is fine.
  virtual void abandon(const std::string& id) = 0;

  /// No restart after the next exit; ends a restart's back-off.
  virtual Result<void> stopping(const std::string& id) = 0;
  virtual Result<void> setRestartPolicy(const std::string& id,
                                        const shim::RestartPolicy& policy) = 0;
  /// `limits` as ociLimitsUpdate() words them; in force from now on, restarts of the policy
  /// included. Errors: Internal with the runtime's words, nothing is changed then.
  virtual Result<void> setLimits(const std::string& id, const std::string& limits) = 0;
  /// Without the shim's help. Errors: NotFound when the process is gone.
  virtual Result<void> signal(const ProcessRef& process, int signal_number) = 0;
  virtual Result<void> pause(const std::string& id) = 0;
  virtual Result<void> resume(const std::string& id) = 0;
  virtual Result<std::vector<int>> pids(const std::string& id) = 0;

  virtual Result<std::vector<JournalLine>> journal(const std::string& id,
                                                   std::uint64_t after_seq) = 0;
  /// `on_news` when the journal grew (and once at first), `on_gone` once when the shim left; on a
  /// thread of the runtime's, must not block. Errors: Unavailable.
  virtual Result<void> watch(const std::string& id, std::function<void()> on_news,
                             std::function<void()> on_gone) = 0;
  /// Whether a watch of this worker's is set.
  [[nodiscard]] virtual bool watching(const std::string& id) = 0;
  /// The lines up to `seq` are stored. Never blocks.
  virtual void consumed(const std::string& id, std::uint64_t seq) = 0;
  /// After the shim left: kills what is left in the cgroup and removes it, the run directory and
  /// the consumed journal. False when something is still dying.
  virtual bool cleanUp(const std::string& id) = 0;
  /// Ids that have a run directory.
  virtual std::vector<std::string> known() = 0;
};

/// What goes on inside a running container at a client's wish. Same rules.
class ContainerSessions {
 public:
  virtual ~ContainerSessions() = default;
  virtual Result<StreamEndpoint> attach(const std::string& id, const AttachOptions& options) = 0;
  virtual Result<void> resize(const std::string& id, unsigned height, unsigned width) = 0;
  /// This exec is about to be started, with these streams. A hint; never blocks.
  virtual void execPrepare(const std::string& id, const ExecStart& start) = 0;
  /// `process_json` is an OCI process. The endpoint has no ticket when detached.
  virtual Result<StreamEndpoint> execStart(const std::string& id, ExecStart start,
                                           const std::string& process_json) = 0;
  virtual Result<ExecState> execState(const std::string& id, const std::string& exec_id) = 0;
  virtual Result<void> execResize(const std::string& id, const std::string& exec_id,
                                  unsigned height, unsigned width) = 0;
};

}  // namespace flotilla::engine
