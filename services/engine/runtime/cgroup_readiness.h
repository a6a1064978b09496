#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// Keeps the kernel ready to move processes between cgroups while containers are being started.
///
/// The first such move after a quiet time waits until every CPU has come to rest: 10 to 30 ms, more
/// than all the rest of a start. Moves that follow within some ms do not wait. So, when a start is
/// to be expected, a thread moves itself to where it is already, now and again until a little
/// after: the waiting overlaps with the start's other work, and within a series of starts there is
/// none.
class CgroupReadiness {
 public:
  struct Options {
    std::chrono::milliseconds window{100};  // after the last expectMove()
    std::chrono::milliseconds step{4};      // shorter than the kernel's grace period
  };

  explicit CgroupReadiness(Options options);
  CgroupReadiness() : CgroupReadiness(Options{}) {}
  ~CgroupReadiness();
  CgroupReadiness(const CgroupReadiness&) = delete;
  CgroupReadiness& operator=(const CgroupReadiness&) = delete;

  /// A process will soon be moved to a cgroup. Does not block. Thread-safe.
  void expectMove();

 private:
  using Clock = std::chrono::steady_clock;

  void serve();

  const Options options_;
  std::mutex mutex_;  // guards until_, stopping_
  std::condition_variable changed_;
  Clock::time_point until_;
  bool stopping_ = false;
  std::thread thread_;
};

/// A move of the calling thread to the cgroup it is in: `number` to be written to `file`.
struct CgroupStay {
  UniqueFd file;
  std::string number;
};

/// Nothing where this thread's cgroup cannot be found below /sys/fs/cgroup (another cgroup
/// namespace's view): moving elsewhere by mistake would be worse than waiting.
std::optional<CgroupStay> findCgroupStay();

/// False when the kernel refused.
bool stay(const CgroupStay& where);

}  // namespace flotilla::engine
