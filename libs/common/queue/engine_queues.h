#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <unordered_map>

#include "common/queue/redis_side.h"

namespace flotilla {

/// Who may be sent when: jobs wait here, in a line of its own for each engine, for a connection,
/// for the engine's stream, or for room in it. On the reactor's thread.
class EngineQueues {
 public:
  struct Hooks {
    std::function<bool(const std::string& job_id)> waits;  // it is not over, and not sent yet
    std::function<void(const std::string& job_id)> send;
    std::function<void(const std::string& job_id)> held;  // it may wait for long
    /// Too many wait for the engine already.
    std::function<void(const std::string& job_id, const std::string& engine_id)> full;
  };

  EngineQueues(GatewaySide& side, Hooks hooks) : side_(side), hooks_(std::move(hooks)) {}

  /// Sends the job if there is a connection and room, or has it wait for that.
  void enter(const std::string& engine_id, const std::string& job_id);
  /// Has it wait for a connection.
  void hold(const std::string& engine_id, const std::string& job_id);
  /// The engine has no stream: the job waits until it is tried again, soon.
  void holdForStream(const std::string& engine_id, const std::string& job_id);
  void connected();
  void lost();

  /// A job went to the engine's stream.
  void grew(const std::string& engine_id) { ++engines_[engine_id].length; }
  /// One that went there is over.
  void shrank(const std::string& engine_id);

 private:
  struct Engine {
    std::size_t length = 0;  // of its stream, as far as known here
    Reactor::Clock::time_point looked{};
    bool asking = false;                  // for room
    std::deque<std::string> asking_jobs;  // which wait for the answer
    std::deque<std::string> held;         // in order of submission; may name jobs that are over
    Reactor::TimerId retry = 0;
  };

  void enterHeld(const std::string& engine_id);
  void askForRoom(const std::string& engine_id);
  void gotRoom(const std::string& engine_id, std::size_t length, std::size_t running);
  void look(const std::string& engine_id);

  GatewaySide& side_;
  const Hooks hooks_;
  std::unordered_map<std::string, Engine> engines_;
};

}  // namespace flotilla
