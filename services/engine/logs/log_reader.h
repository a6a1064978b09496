#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/os/unique_fd.h"
#include "engine/logs/log_line.h"
#include "engine/logs/log_options.h"

namespace flotilla::engine {

/// Reads a json-file log and its rotated parts (path.N ... path.1, path) from oldest to newest and
/// makes what the API sends. Rotation by another process while reading loses and repeats nothing:
/// open parts are told apart by inode. Not thread-safe, holds at most one descriptor.
class LogReader {
 public:
  enum class State {
    More,      // call again
    CaughtUp,  // everything there is now was read
    Finished,  // a line later than `until` was met: nothing further will come
  };

  /// Opens and goes to the first line wanted (tail: counted backwards from the end). A log that
  /// does not exist yet is empty. Errors: Internal.
  static Result<LogReader> open(std::string path, LogOptions options);

  /// Appends what comes next to `out`, reading about 64 KiB of the log. Errors: Internal.
  Result<State> read(std::string& out);

 private:
  LogReader(std::string path, LogOptions options) : path_(std::move(path)), options_(options) {}

  Result<void> startAtOldest();
  Result<void> startAtTail(std::uint64_t lines);
  /// Opens path or path.N; false when it does not exist.
  Result<bool> openPart(const std::string& part);
  /// At the end of the open part: true when reading can go on, there or in a newer part.
  Result<bool> openNewer();
  [[nodiscard]] std::string partName(unsigned number) const;
  /// Lines in `pending_` up to the last newline, into `out`. False when `until` was passed.
  bool takeLines(std::string& out);
  bool emit(std::string_view line, std::string& out);

  std::string path_;
  LogOptions options_;
  UniqueFd file_;
  std::uint64_t device_ = 0, inode_ = 0;  // of the open part
  bool drained_ = false;                  // read to its end after it had been rotated away
  std::string pending_;                   // read but not yet a whole line
  std::string scratch_;
};

}  // namespace flotilla::engine
