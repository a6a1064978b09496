#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::net {

/// A two-way byte stream on a reactor: plain socket, TLS session, chunked body. Not thread-safe:
/// methods and destructor on the reactor's thread only, callbacks come there too. Non-blocking. A
/// callback may call anything, close() and dropping the last reference included.
class Stream {
 public:
  virtual ~Stream() = default;

  /// Level-triggered readiness: `on_readable` runs while bytes or end of input wait and reading is
  /// enabled; `on_writable` runs once after a short write when there is room again (or the stream
  /// broke). Called again, also from a callback, it replaces both and enables reading.
  virtual void start(std::function<void()> on_readable, std::function<void()> on_writable) = 0;
  /// Pauses or resumes on_readable. Enabled by start().
  virtual void enableRead(bool enabled) = 0;

  /// Bytes read into `buffer`; 0 is end of input; Unavailable (EAGAIN) when nothing waits now;
  /// another kind when the stream broke.
  virtual Result<std::size_t> read(char* buffer, std::size_t size) = 0;
  /// Bytes taken, perhaps fewer than offered, perhaps none (then on_writable follows, and the rest
  /// is to be offered again before anything else). Error when broken.
  virtual Result<std::size_t> write(std::string_view bytes) = 0;

  /// Runs `fn` once when the peer has closed or half-closed, even while reading is disabled and
  /// unread bytes wait; never for streams that cannot know. Replaces an earlier one; nullptr ends
  /// it.
  virtual void onHangup(std::function<void()> fn) { static_cast<void>(fn); }

  /// Runs `fn` once when neither direction works any more: the peer has closed, not half-closed, or
  /// the stream broke. Comes while reading is disabled, too; on TCP a closed peer looks half-closed
  /// until something is sent to it. Never for streams that cannot know. nullptr ends it.
  virtual void onGone(std::function<void()> fn) { static_cast<void>(fn); }

  /// End of our output (shutdown(SHUT_WR), close_notify, last chunk) after what was written.
  virtual void shutdownWrite() = 0;
  /// Ends both directions now. Idempotent. No callback follows.
  virtual void close() = 0;
  /// Like close, but a peer that counts on proper framing sees a failure (no last chunk; RST).
  virtual void abort() = 0;

  /// The plain descriptor when bytes pass unchanged (for splice and SCM_RIGHTS), else -1.
  [[nodiscard]] virtual int plainFd() const { return -1; }
  /// Asks for on_writable once, as a short write does: for those who write to plainFd() themselves.
  virtual void wantWritable() {}
};

using StreamPtr = std::shared_ptr<Stream>;

}  // namespace flotilla::net
