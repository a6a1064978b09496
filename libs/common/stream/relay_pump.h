#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "common/net/stream.h"
#include "common/os/unique_fd.h"

namespace flotilla {

/// One direction of a relay: what `from` delivers goes to `to`, at most 64 KiB under way. Copies
/// through one buffer of the thread while traffic is small, and moves pages through a pipe
/// (splice) once it is bulk and both ends are plain sockets: an idle stream costs neither.
class RelayPump {
 public:
  RelayPump(net::Stream& from, net::Stream& to) : from_(from), to_(to) {}

  /// Moves what can be moved now. Call when `from` is readable or `to` writable.
  void run();

  /// No more comes through here, for whatever reason, and all that came is delivered.
  [[nodiscard]] bool ended() const { return ended_; }
  /// `from` broke: its other direction is worth nothing either.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  /// `to` takes no more, though it may still have things to say.
  [[nodiscard]] const std::optional<Error>& refused() const { return refused_; }

  /// Passes the end on to `to`.
  void halfClose() { to_.shutdownWrite(); }

 private:
  enum class Step { More, Idle };

  Step fill();
  Step fillByCopy();
  Step fillByPipe();
  /// True when nothing is left under way.
  bool drain();
  bool drainPipe();
  void end();
  void fail(Error error);
  void refuse(Error error);
  [[nodiscard]] bool canSplice();
  [[nodiscard]] bool openPipe();

  net::Stream& from_;
  net::Stream& to_;
  std::string waiting_;  // copied bytes that `to` has not taken yet
  UniqueFd pipe_in_, pipe_out_;
  std::size_t piped_ = 0;     // bytes inside the pipe
  int full_reads_ = 0;        // in a row: bulk traffic
  bool input_ended_ = false;  // `from` is at its end; bytes may still be under way
  bool ended_ = false;
  std::optional<Error> error_;
  std::optional<Error> refused_;
};

}  // namespace flotilla
