#pragma once

#include <functional>
#include <string>

#include "common/queue/redis_side.h"

namespace flotilla {

/// What Redis knows of jobs that were sent: each is an entry of its engine's stream. Nothing is
/// answered once the side is closed. On the reactor's thread.
class JobEntries {
 public:
  enum class Fate {
    Removed,   // no worker had it, and none will
    AtWorker,  // whose result is to come
    Gone,      // it is done, or was refused by a worker
  };

  explicit JobEntries(GatewaySide& side) : side_(side) {}

  /// Takes the entry back if no worker has it. Errors: those of Redis, of which nothing is known.
  void takeBack(const std::string& engine_id, const std::string& entry,
                std::function<void(Result<Fate>)> done);
  /// Runs `then` if the entry is gone; not while that is unknown.
  void ifGone(const std::string& engine_id, const std::string& entry, std::function<void()> then);
  /// Whether workers read the engine's stream; true while unknown.
  void askServed(const std::string& engine_id, std::function<void(bool served)> done);

 private:
  void remove(const std::string& engine_id, const std::string& entry,
              const std::function<void(Result<Fate>)>& done);

  GatewaySide& side_;
};

}  // namespace flotilla
