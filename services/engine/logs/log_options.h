#pragma once

#include <cstdint>
#include <optional>

#include "common/job/job.h"

namespace flotilla::engine {

/// What GET /containers/{id}/logs asks for.
struct LogOptions {
  bool follow = false, with_stdout = false, with_stderr = false, timestamps = false,
       details = false;
  std::optional<std::uint64_t> tail;               // last N lines, absent = all
  std::optional<std::int64_t> since_ns, until_ns;  // nanoseconds since the epoch, inclusive
  bool multiplexed = true;                         // 8-byte headers; false = raw (tty)

  /// From the query parameters of a job. Errors: InvalidArgument in dockerd's words. To be called
  /// before the container is looked up: so does dockerd.
  static Result<LogOptions> parse(const JobEnv& env);
};

}  // namespace flotilla::engine
