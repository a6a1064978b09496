#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "common/queue/engine_ownership.h"
#include "common/queue/redis_side.h"

namespace flotilla {

/// Whether an entry comes to the workers for the first time, or may have run before.
enum class Delivery { First, Again };

/// Reads the entries of an engine's stream as one consumer of its group: never more than there are
/// free slots. On the reactor's thread, but for slotFreed().
class JobReader {
 public:
  struct Hooks {
    std::function<void(const RedisReply& entry, Delivery)> take;
    std::function<std::size_t()> free_slots;
  };

  JobReader(EngineSide& side, const EngineOwnership& ownership, Hooks hooks);

  void start() { reader_->start(); }
  void close() { reader_->close(); }
  /// Makes the group of workers unless it is there, then reads.
  void makeGroup();
  /// Reads again what this worker was given and has not finished.
  void wantHistory();
  /// Goes on reading if that waits for a free slot. Any thread.
  void slotFreed();

 private:
  void readHistory(const std::string& after);
  void readJobs();
  /// An answer to XREADGROUP. False when there is nothing to take from it, and no reading on.
  bool received(const Result<RedisReply>& reply);
  void readFailed(const Error& why);

  EngineSide& side_;
  const EngineOwnership& ownership_;
  const Hooks hooks_;
  const RedisConnectionPtr reader_;
  bool reading_ = false;
  bool history_wanted_ = false;    // once the read that is under way has ended
  std::atomic<bool> full_{false};  // reading waits for a free slot
};

}  // namespace flotilla
