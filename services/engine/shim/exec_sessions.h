#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/shim/children.h"
#include "engine/shim/journal_writer.h"
#include "engine/shim/prepared_execs.h"
#include "engine/shim/process_io.h"
#include "engine/shim/process_spec.h"
#include "engine/shim/runtime.h"
#include "engine/shim/sockets.h"

namespace flotilla::engine::shim {

/// Processes started inside the running container. Each one's end is in the journal before its
/// stream closes; its state can be asked for five minutes longer (at most kKept of them).
class ExecSessions {
 public:
  static constexpr std::size_t kKept = 1000;
  static constexpr std::chrono::minutes kKeptFor{5};

  struct Parts {
    EventLoop& loop;
    Children& children;
    JournalWriter& journal;
    StreamDoor& door;
    Runtime& runtime;
    const LaunchSpec& spec;
  };
  explicit ExecSessions(Parts parts)
      : parts_(parts), prepared_(parts.loop, parts.children, parts.runtime) {}

  /// exec_prepare: it may start soon.
  void prepare(const nlohmann::json& request);
  /// The request is protocol.h's exec_start; `init_pid` that of the running container.
  void start(const nlohmann::json& request, int init_pid, const ControlServer::Answer& answer);
  [[nodiscard]] nlohmann::json resize(const nlohmann::json& request);
  [[nodiscard]] nlohmann::json state(const std::string& exec_id);

  /// Processes in the container's cgroup that are not the container's.
  [[nodiscard]] std::vector<int> waitingRuntimes() const { return prepared_.pids(); }

  /// True when no stream has output left.
  [[nodiscard]] bool idle() const { return busy_ == 0; }
  void onIdle(std::function<void()> idle) { on_idle_ = std::move(idle); }

 private:
  struct Session {
    std::string id;
    std::string name;     // in Runtime, and of its files in the run directory
    std::string process;  // until the runtime has it
    std::shared_ptr<PreparedExec> prepared;
    std::shared_ptr<ProcessIo> io;
    std::unique_ptr<ConsoleSocket> console;
    ProcessPlan plan;
    ControlServer::Answer answer;  // detached: answered when it runs
    unsigned height = 0;
    unsigned width = 0;
    int pid = 0;
    bool exec_failed = false;  // execve refused it after the start
    std::optional<int> exit_code;
    std::optional<StartFailure> failure;
    std::chrono::steady_clock::time_point ended;
  };
  using SessionPtr = std::shared_ptr<Session>;

  void usePrepared(const SessionPtr& session, const nlohmann::json& request, bool wanted);
  Result<void> openStreams(const SessionPtr& session, const nlohmann::json& request);
  void launch(const SessionPtr& session);
  Result<void> launchRuntime(const SessionPtr& session);
  void runtimeEnded(const SessionPtr& session, int status);
  void exited(const SessionPtr& session, int status);
  void failed(const SessionPtr& session, StartFailure failure);
  void close(const SessionPtr& session);
  void purge();
  SessionPtr find(const std::string& exec_id) const;

  std::string nextName() { return "exec-" + std::to_string(next_++); }

  Parts parts_;
  PreparedExecs prepared_;
  std::map<std::string, SessionPtr> sessions_;
  std::uint64_t next_ = 1;
  int busy_ = 0;
  std::function<void()> on_idle_;
};

/// Stream options of expect_attach and exec_start.
StreamOptions streamOptions(const nlohmann::json& request);
std::string textMember(const nlohmann::json& request, const char* key);
bool flagMember(const nlohmann::json& request, const char* key);
unsigned numberMember(const nlohmann::json& request, const char* key);

}  // namespace flotilla::engine::shim
