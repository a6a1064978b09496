#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "common/error/result.h"
#include "common/os/process.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// What became of an unpacked layer.
struct UnpackedLayer {
  bool compressed = false;  // else diff_hex is empty: the file is the tar
  std::string diff_hex;     // SHA-256 of the uncompressed tar
  std::uint64_t tar_size = 0;
  std::uint64_t disk_size = 0;  // as Docker counts layers
};

/// A running flotilla-unpack child. It may start while the layer's file still grows and follows it
/// (unpack/protocol.h). Destroying the object kills a child that is not done. One thread.
class UnpackProcess {
 public:
  struct Options {
    std::string program;     // path of flotilla-unpack
    std::string directory;   // to fill; exists and is empty
    std::string layer_file;  // tar, plain or compressed
  };

  /// Errors: Internal.
  static Result<std::unique_ptr<UnpackProcess>> start(const Options& options);
  ~UnpackProcess();
  UnpackProcess(const UnpackProcess&) = delete;
  UnpackProcess& operator=(const UnpackProcess&) = delete;

  /// So many bytes of the file may be read now. Never blocks; a missed call is made up by the next.
  void announce(std::uint64_t available);
  /// The file is whole. Never blocks.
  Result<void> announceEnd(std::uint64_t size);

  /// Whether wait() would return at once.
  [[nodiscard]] bool done() const;
  /// Errors: InvalidArgument (the layer is at fault), Internal, Unavailable when cancelled,
  /// DeadlineExceeded.
  Result<UnpackedLayer> wait(const std::function<bool()>& cancelled, std::chrono::seconds deadline);

 private:
  UnpackProcess(Process process, UniqueFd control)
      : process_(std::move(process)), control_(std::move(control)) {}
  Result<UnpackedLayer> receive();
  void reap();

  Process process_;
  bool reaped_ = false;
  UniqueFd control_;
  std::uint64_t announced_ = 0;
};

}  // namespace flotilla::engine
