#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/client/detach_keys.h"
#include "cli/client/http_stream.h"
#include "common/os/unique_fd.h"

namespace flotilla::cli {

/// Signals as a descriptor: blocked for the whole process while this lives, read by the pump.
class SignalSource {
 public:
  /// SIGWINCH always; with `proxy` also the signals that are passed on to the container.
  static Result<SignalSource> create(bool proxy);
  [[nodiscard]] int fd() const { return fd_.get(); }
  /// The next signal that waits; 0 when none does.
  [[nodiscard]] int next() const;

 private:
  explicit SignalSource(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

struct PumpOptions {
  bool tty = false;    ///< the stream is raw, not multiplexed
  bool input = false;  ///< stdin goes to the container
  bool output = true;  ///< what comes is written to stdout and stderr
  std::string detach_keys;
  std::function<void()> on_resize;
  std::function<void(int signal)> on_signal;
};

enum class PumpEnd { StreamEnded, Detached };

/// Moves bytes between this process's stdin, stdout, stderr and an attached stream until the daemon
/// closes it or the user detaches. Blocks on nothing but poll() and its own output.
Result<PumpEnd> pump(HttpStream& stream, const SignalSource& signals, const PumpOptions& options);

/// Writes everything to a descriptor; gives up silently when its reader is gone.
void writeOut(int fd, std::string_view bytes);

}  // namespace flotilla::cli
