#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// One lock per container, between the threads of this process and between the workers of a host
/// (flock on <run>/locks/<id>.lock). It guards a transition, milliseconds, never a wait; it is
/// taken before a write transaction, never inside one (decisions.md 13). Thread-safe.
class TransitionLocks {
 public:
  class Guard {
   public:
    Guard() = default;
    Guard(TransitionLocks& owner, std::string id, UniqueFd file)
        : owner_(&owner), id_(std::move(id)), file_(std::move(file)) {}
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    Guard(Guard&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)),
          id_(std::move(other.id_)),
          file_(std::move(other.file_)) {}
    Guard& operator=(Guard&& other) noexcept;
    ~Guard() { unlock(); }
    void unlock();

   private:
    TransitionLocks* owner_ = nullptr;
    std::string id_;
    UniqueFd file_;
  };

  explicit TransitionLocks(std::string directory) : directory_(std::move(directory)) {}

  /// `doing` is written into the lock file for whoever waits. Errors: Unavailable after `timeout`,
  /// naming the holder.
  Result<Guard> take(const std::string& id, const std::string& doing,
                     std::chrono::milliseconds timeout = std::chrono::seconds(30));
  /// At start-up: removes the files nobody holds.
  void sweep();

 private:
  friend class Guard;
  void release(const std::string& id);
  Result<UniqueFd> lockFile(const std::string& id, const std::string& doing,
                            std::chrono::steady_clock::time_point deadline) const;

  const std::string directory_;
  std::mutex mutex_;  // guards held_
  std::condition_variable released_;
  std::set<std::string> held_;
};

}  // namespace flotilla::engine
