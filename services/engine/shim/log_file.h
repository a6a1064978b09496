#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/os/unique_fd.h"
#include "engine/shim/json_log.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine::shim {

/// A place in the log: `generation` counts rotations since the shim began, 0 being the file found.
struct LogPosition {
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
};

/// The json-file log on disk, with Docker's rotation: before an entry is added to a file that has
/// reached max_size, path -> path.1 -> ... -> path.(max_files-1). Buffers; not thread-safe.
class LogFile {
 public:
  explicit LogFile(LogConfig config);

  void append(std::string_view line, Channel channel, const timespec& time);
  /// Hands everything to the kernel. What the disk does not take is dropped: the container is not
  /// to hang on a full disk.
  void flush();

  /// Where the next entry goes. Entries before it may still be buffered.
  [[nodiscard]] LogPosition position() const { return {generation_, size_ + used_}; }

  /// Whether a rotation leaves the file's content to those who read it.
  [[nodiscard]] bool keepsRotated() const { return config_.max_files >= 2; }
  /// Name of the file that generation `wanted` has now; "" when it was rotated away. Rotation must
  /// not run meanwhile.
  [[nodiscard]] std::string fileOf(std::uint64_t wanted) const;
  /// Generations before 0: the files that rotations of former runs left. Counts them.
  [[nodiscard]] unsigned olderFiles() const;
  [[nodiscard]] std::string olderFile(unsigned index) const;

 private:
  void open(int extra_flags);
  void rotate();

  LogConfig config_;
  UniqueFd fd_;
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0;
  std::uint64_t size_ = 0;  // of the file, without the buffer
  std::uint64_t generation_ = 0;
  TimeFormatter formatter_;
};

}  // namespace flotilla::engine::shim
