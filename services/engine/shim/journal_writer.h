#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine::shim {

/// Appends the container's transitions; the engine is told after each. One writer per journal.
class JournalWriter {
 public:
  /// Errors: Internal when the file cannot be opened for appending.
  static Result<JournalWriter> open(const std::string& path, std::uint64_t first_seq, unsigned run);

  void onAppend(std::function<void(std::uint64_t seq)> told) { told_ = std::move(told); }
  enum class Tell { Now, WithTheNext };
  /// Adds seq, run and time to `fields` and writes the line in one write(2).
  void append(const char* what, nlohmann::json fields = nlohmann::json::object(),
              Tell tell = Tell::Now);

  void nextRun() { ++run_; }
  [[nodiscard]] unsigned run() const { return run_; }
  /// Number of the newest line; first_seq - 1 before any.
  [[nodiscard]] std::uint64_t lastSeq() const { return next_seq_ - 1; }
  /// The engine stored everything up to `seq`: an overgrown journal is emptied when that is all.
  void consumed(std::uint64_t seq);

 private:
  JournalWriter(UniqueFd fd, std::uint64_t first_seq, unsigned run)
      : fd_(std::move(fd)), next_seq_(first_seq), run_(run) {}

  UniqueFd fd_;
  std::uint64_t next_seq_;
  unsigned run_;
  std::function<void(std::uint64_t)> told_;
};

/// Field 22 of /proc/<pid>/stat: tells a process from a later one with its pid. 0 when it is gone.
std::uint64_t processStartTime(int pid);
std::string bootId();

}  // namespace flotilla::engine::shim
