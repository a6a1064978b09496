#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/os/unique_fd.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine {

struct AttachOptions {
  bool stdin_open = false, stdout_open = true, stderr_open = true;
  bool logs = false;        // replay the log first
  bool stream = true;       // go on with live output
  std::string detach_keys;  // bytes, "" = Docker's default ctrl-p ctrl-q
};

struct ExecStart {
  std::string exec_id, process_file;
  bool tty = false, stdin_open = false, stdout_open = true, stderr_open = true, detach = false;
  std::string detach_keys;
  unsigned height = 0, width = 0;
};

struct ExecState {
  bool running = false;
  int pid = 0;
  std::optional<int> exit_code;
};

/// What a new shim inherits.
struct ShimDescriptors {
  std::optional<UniqueFd> netns;
  UniqueFd lock;                     // flocked by the caller
  std::vector<UniqueFd> bind_trees;  // LaunchSpec::binds in order
  std::vector<UniqueFd> port_holders;
};

/// Speaks to the shim of one container over its control socket. Blocking calls with a deadline, for
/// work-pool threads; thread-safe (each call uses its own connection). Errors: Unavailable when no
/// shim lives there; DeadlineExceeded; otherwise the shim's own kind and message, in Docker's words
/// (the exit code of a failed start, 126, 127 or 128, is in the journal's start_failed line).
class ShimClient {
 public:
  /// `run_dir` is <run>/containers/<id>.
  explicit ShimClient(std::string run_dir) : run_dir_(std::move(run_dir)) {}

  /// Writes launch.json, spawns flotilla-shim (posix_spawn, own session) and returns once its
  /// sockets listen. The run directory must exist. What it says before that goes to
  /// <run_dir>/shim.log.
  Result<void> launch(const std::string& shim_path, const shim::LaunchSpec& spec,
                      ShimDescriptors fds, std::chrono::milliseconds timeout);
  /// True while a live shim holds <run_dir>/shim.lock.
  [[nodiscard]] bool alive() const;

  /// The pid of init. With the number of the run that is meant it may be asked again, by another
  /// process too: one that is under way is waited for.
  Result<int> go(std::chrono::milliseconds timeout, unsigned run = 0);
  Result<StreamEndpoint> attach(const AttachOptions& options);
  /// A hint that this exec is about to be started; does not wait.
  void execPrepare(const ExecStart& options);
  Result<StreamEndpoint> execStart(
      const ExecStart& options);  // endpoint with "" ticket when detached
  Result<ExecState> execState(const std::string& exec_id);
  Result<void> resize(unsigned height, unsigned width);
  Result<void> execResize(const std::string& exec_id, unsigned height, unsigned width);
  Result<void> signal(int signal_number);
  Result<void> pause();  // Conflict when not running or already paused
  Result<void> resume();
  Result<std::vector<int>> pids();  // host pids of the container's processes
  Result<void> stopping(bool manual);
  Result<void> restartPolicy(const shim::RestartPolicy& policy);
  Result<void> limits(const std::string& resources_json);
  Result<void> end();

 private:
  std::string run_dir_;
};

/// Watches one shim on a reactor: `on_journal` with each new journal line's number, `on_gone` once
/// when the shim's connection ends. Both run on the reactor's thread. Ends when destroyed (there).
class ShimWatch {
 public:
  static Result<std::unique_ptr<ShimWatch>> open(Reactor& reactor, const std::string& run_dir,
                                                 std::function<void(std::uint64_t seq)> on_journal,
                                                 std::function<void()> on_gone);
  virtual ~ShimWatch() = default;

  /// Tells the shim that journal lines up to `seq` are stored, so that it may empty the journal.
  virtual void consumed(std::uint64_t seq) = 0;
};

}  // namespace flotilla::engine
