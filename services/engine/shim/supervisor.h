#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/shim/cgroup.h"
#include "engine/shim/exec_sessions.h"
#include "engine/shim/restart.h"

namespace flotilla::engine::shim {

/// One container from launch to end: waits for *go*, starts the process, records its exit, restarts
/// it, cleans up. Everything on the loop's thread.
class Supervisor {
 public:
  /// Opens the journal and the sockets in the working directory. Errors: Internal.
  static Result<std::unique_ptr<Supervisor>> create(EventLoop& loop, LaunchSpec spec);
  Supervisor(EventLoop& loop, LaunchSpec spec, JournalWriter journal);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Makes the sandbox: mount namespace, binds, root, process. What fails is told to *go*.
  /// `passed` are the inherited trees.
  void prepare(std::vector<UniqueFd> passed);

 private:
  enum class State {
    Created,
    Starting,
    Running,
    Exiting,
    BackOff,
    Leaving,
    Ended
  };  // Leaving: never started
  using json = nlohmann::json;
  using Answer = ControlServer::Answer;

  Result<void> listen();
  std::optional<StartFailure> makeSandbox(std::vector<UniqueFd> passed);
  void handle(const json& request, const Answer& answer);
  [[nodiscard]] json simple(const std::string& op, const json& request);

  void go(const json& request, const Answer& answer);
  void answerGo(const json& reply);
  void startProcess();
  void runtimeEnded(int status);
  void runtimeFailed(StartFailure failure);
  void startFailed(StartFailure failure);
  void processExited(int status);
  void recordExit();
  void restartAfter(std::chrono::milliseconds delay);
  void restartNow();
  void release(std::function<void()> done);
  void end();
  void leaveWhenIdle();
  void trimSoon();

  json attach(const json& request);
  json resize(const json& request);
  json signal(const json& request);
  json freeze(bool frozen);
  json stopping();
  json setPolicy(const json& request);
  void setLimits(const json& request, const Answer& answer);
  void limitsSet(const json& resources, const Answer& answer, int status);
  [[nodiscard]] json keepLimits(const json& resources) const;
  json leave();
  void leaveIfUnwanted();
  void execStart(const json& request, const Answer& answer);
  json execPrepare(const json& request);
  [[nodiscard]] std::vector<int> pids() const;
  [[nodiscard]] Error notRunning() const;
  std::shared_ptr<ProcessIo> makeIo();

  EventLoop& loop_;
  LaunchSpec spec_;
  JournalWriter journal_;
  Children children_;
  Cgroup cgroup_;
  Runtime runtime_;
  RestartRule restart_;
  std::unique_ptr<LogWriter> log_;
  std::shared_ptr<ProcessIo> io_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<StreamDoor> door_;
  std::unique_ptr<ExecSessions> execs_;
  std::unique_ptr<ConsoleSocket> console_;

  State state_ = State::Created;
  std::optional<StartFailure> unprepared_;
  ProcessPlan plan_;
  std::vector<Answer> go_answers_;  // several when a worker died while it waited
  unsigned height_ = 0;
  unsigned width_ = 0;
  int pid_ = 0;
  int exit_code_ = 0;
  bool exec_failed_ = false;
  bool oom_ = false;
  bool no_restart_ = false;
  int lingering_ = 0;  // streams of ended runs that still have output
  std::chrono::steady_clock::time_point started_;
  EventLoop::Id restart_timer_ = 0;
  EventLoop::Id trim_timer_ = 0;
  std::chrono::milliseconds release_delay_{1};
};

}  // namespace flotilla::engine::shim
