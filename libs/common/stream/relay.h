#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/event/reactor.h"
#include "common/net/stream.h"

namespace flotilla {

/// How two streams end together.
enum class RelayEnd {
  /// End of input on one side is half-closed to the other; done when both directions ended
  /// (hijack).
  BothSides,
  /// Done when `right` has ended and all it sent is written to `left` (responses). `left` is
  /// neither closed nor aborted, however it went: that is for `done` to do, at once or later, for
  /// the end of a response is worth something only when its job ended well.
  RightSide,
};

/// What ended a relay before its time.
struct RelayFailure {
  enum class Side { Left, Right };
  Side side;  // whose stream broke
  Error error;
};

/// A relay under way. On the reactor's thread.
class RunningRelay {
 public:
  virtual ~RunningRelay() = default;
  /// Ends it as if its left side had broken.
  virtual void cut(const Error& why) = 0;
};

using RelayDone = std::function<void(const std::optional<RelayFailure>&)>;

/// Moves bytes between two streams until they end, with back-pressure and at most 64 KiB buffered
/// each way (spliced in the kernel where both are plain sockets). `done` runs once on the reactor's
/// thread, after the streams were closed; its argument tells whether one broke: they were aborted
/// then. A `right` that takes no more input is no failure, it may still have output; a
/// `left` that takes no more is: it is the client's side. Call on the reactor's thread; the relay
/// keeps itself alive until done; nobody else may keep it alive.
std::weak_ptr<RunningRelay> relay(Reactor& reactor, net::StreamPtr left, net::StreamPtr right,
                                  RelayEnd end, RelayDone done);

/// Relays that somebody has to end when he ends: else they would outlive their reactor, each kept
/// by its streams and these by it. On the reactor's thread.
class RelayGroup {
 public:
  void add(std::weak_ptr<RunningRelay> relay);
  void cut(const Error& why);

 private:
  std::vector<std::weak_ptr<RunningRelay>> relays_;
  std::size_t sweep_at_ = 64;  // then those that are over are forgotten
};

}  // namespace flotilla
