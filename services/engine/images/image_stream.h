#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::engine {

/// The client's side of load, save and import: bytes in, bytes out, and whether it is still there.
struct ImageStream {
  /// Blocks for at most the idle time-out; 0 at the end. Errors: DeadlineExceeded, Unavailable.
  std::function<Result<std::size_t>(char* buffer, std::size_t size)> read;
  std::function<Result<void>(std::string_view bytes)> write;
  std::function<bool()> cancelled;
};

/// An ImageStream over a connected descriptor, which stays the caller's. Reads and writes give up
/// when nothing moved for `idle`, or as soon as `cancelled` says so (looked at every 200 ms).
ImageStream streamOver(int fd, std::chrono::seconds idle, std::function<bool()> cancelled);

/// {"stream":"<text>"} and friends, one JSON document a line, as dockerd writes them.
std::string streamLine(std::string_view text);
std::string statusLine(std::string_view status);
std::string errorLine(const Error& error);
/// A progress bar's line: {"status","progressDetail","progress","id"}.
std::string progressLine(std::string_view status, std::string_view id, std::uint64_t current,
                         std::uint64_t total);

}  // namespace flotilla::engine
