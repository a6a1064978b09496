#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// One transition of a container, as its shim recorded it (the format is in shim/protocol.h).
struct JournalLine {
  enum class What { Start, StartFailed, Exit, ExecStart, ExecExit, End };

  std::uint64_t seq = 0;
  unsigned run = 0;  // counts the container's starts, restarts included
  What what = What::End;
  std::int64_t time_ns = 0;     // since the epoch
  int pid = 0;                  // Start, ExecStart
  std::uint64_t pid_start = 0;  // Start: field 22 of /proc/<pid>/stat
  std::string boot;             // Start: boot id
  unsigned restarts = 0;        // Start, Exit: restarts made by this shim so far
  int exit_code = 0;            // Exit, ExecExit, StartFailed (126, 127, 128)
  bool oom = false;             // Exit
  bool restarting = false;      // Exit: another Start follows, or an End when called off
  std::int64_t delay_ms = 0;    // Exit: back-off before that Start
  std::string exec_id;          // ExecStart, ExecExit
  std::string error;            // StartFailed, ExecExit: Docker's words
  ErrorKind error_kind = ErrorKind::Internal;
};

/// The complete lines of `text` with seq > `after_seq`. A torn last line (no newline) and lines
/// that are not journal lines are skipped: only power loss makes them, and then the boot id
/// differs.
std::vector<JournalLine> parseJournal(std::string_view text, std::uint64_t after_seq);

/// Reads the journal at `path`. A missing file is an empty journal. Errors: Internal (I/O).
/// Safe while a shim appends.
Result<std::vector<JournalLine>> readJournal(const std::string& path, std::uint64_t after_seq);

}  // namespace flotilla::engine
