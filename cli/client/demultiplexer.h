#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::cli {

/// Takes Docker's multiplexed stream apart: 8-byte headers (stream number, big-endian length)
/// before each piece. Feed it bytes as they come, cut anywhere.
class Demultiplexer {
 public:
  enum class Output { Stdout, Stderr };
  using Sink = std::function<void(Output, std::string_view)>;

  explicit Demultiplexer(Sink sink) : sink_(std::move(sink)) {}

  /// Errors: Internal with the daemon's text (stream 3), or when a header is none.
  Result<void> feed(std::string_view bytes);

 private:
  Result<void> startFrame();

  Sink sink_;
  char header_[8] = {};
  std::size_t header_size_ = 0;
  std::size_t left_ = 0;
  unsigned char stream_ = 1;
  std::string failure_;
};

}  // namespace flotilla::cli
