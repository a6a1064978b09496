#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::net {

/// A two-way byte stream on a reactor: plain socket, TLS session, chunked body. Not thread-safe:
/// methods on the reactor's thread only, callbacks come there too. Non-blocking.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Level-triggered readiness: `on_readable` runs while bytes or end of input wait and reading is
  /// enabled; `on_writable` runs once after a short write when there is room again.
  virtual void start(std::function<void()> on_readable, std::function<void()> on_writable) = 0;
  /// Pauses or resumes on_readable. Enabled by start().
  virtual void enableRead(bool enabled) = 0;

  /// Bytes read into `buffer`; 0 is end of input; Unavailable (EAGAIN) when nothing waits now;
  /// another kind when the stream broke.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
  /// Bytes taken, perhaps fewer than offered (then on_writable follows). Error when broken.
  virtual Result<std::size_t> write(std::string_view bytes) = 0;

  /// End of our output (shutdown(SHUT_WR), close_notify, last chunk) after what was written.
  virtual void shutdownWrite() = 0;
  /// Ends both directions now. Idempotent. No callback follows.
  virtual void close() = 0;
  /// Like close, but a peer that counts on proper framing sees a failure (no last chunk; RST).
  virtual void abort() = 0;

  /// The plain descriptor when bytes pass unchanged (for splice and SCM_RIGHTS), else -1.
  [[nodiscard]] virtual int plainFd() const { return -1; }
};

using StreamPtr = std::shared_ptr<Stream>;

}  // namespace flotilla::net
