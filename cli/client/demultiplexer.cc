#include "cli/client/demultiplexer.h"

#include <algorithm>
#include <cstdint>
#include <string>

namespace flotilla::cli {
namespace {
constexpr unsigned char kStdout = 1;
constexpr unsigned char kStderr = 2;
constexpr unsigned char kSystemError = 3;
}  // namespace

Result<void> Demultiplexer::startFrame() {
  stream_ = static_cast<unsigned char>(header_[0]);
  std::uint32_t size = 0;
  for (std::size_t at = 4; at < 8; ++at) {
    size = (size << 8U) | static_cast<unsigned char>(header_[at]);
  }
  left_ = size;
  header_size_ = 0;
  if (stream_ > kSystemError) {
    return Error(ErrorKind::Internal, "Unrecognized input header: " + std::to_string(stream_));
  }
  return {};
}

Result<void> Demultiplexer::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const auto take = std::min(bytes.size(), sizeof header_ - header_size_);
      std::copy_n(bytes.data(), take, header_ + header_size_);
      header_size_ += take;
      bytes.remove_prefix(take);
      if (header_size_ == sizeof header_) {
        FLO_TRY(startFrame());
      }
      continue;
    }
    const auto piece = bytes.substr(0, left_);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    if (stream_ == kSystemError) {
      failure_ += piece;
      if (left_ == 0) {
        return Error(ErrorKind::Internal, "error from daemon in stream: " + failure_);
      }
    } else {
      sink_(stream_ == kStderr ? Output::Stderr : Output::Stdout, piece);
    }
  }
  return {};
}

}  // namespace flotilla::cli
