#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/os/mutex.h"
#include "common/os/unique_fd.h"
#include "registry-proxy/refusal.h"

namespace flotilla::registry {

/// The content of a blob in a file, whole or still coming in. One fetch writes, any number of
/// readers follow; all share it. Bytes that readers may see are right as far as they go, and the
/// last one is held back until the digest of all was checked: nobody ever gets a whole blob that is
/// wrong. Thread-safe.
class Blob {
 public:
  struct Progress {
    std::uint64_t available = 0;
    std::optional<std::uint64_t> size = {};  // once known
    bool begun = false;                      // the upstream has it
    bool complete = false;
    std::optional<Refusal> failure = {};
  };

  /// On its way.
  explicit Blob(UniqueFd fd) : fd_(std::move(fd)) {}
  /// Whole.
  Blob(UniqueFd fd, std::uint64_t size);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Progress progress() const;
  /// Whether it begun, completed or failed in time.
  [[nodiscard]] bool waitBegun(std::chrono::milliseconds timeout) const;
  /// Whether more than `seen` bytes were there, or no more will come, in time.
  [[nodiscard]] bool waitBeyond(std::uint64_t seen, std::chrono::milliseconds timeout) const;
  /// Runs `fn` once, on any thread, when more than `seen` bytes are there or no more will come.
  void whenBeyond(std::uint64_t seen, std::function<void()> fn);

  // The fetch's side.
  void begin(std::optional<std::uint64_t> size);
  void received(std::uint64_t total);
  void complete(std::uint64_t size);
  void fail(Refusal refusal);

 private:
  struct Waiter {
    std::uint64_t seen;
    std::function<void()> fn;
  };
  void publish();

  const UniqueFd fd_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  Progress progress_ FLO_GUARDED_BY(mutex_);
  std::vector<Waiter> waiters_ FLO_GUARDED_BY(mutex_);
};

}  // namespace flotilla::registry
