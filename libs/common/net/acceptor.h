#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/os/unique_fd.h"

namespace flotilla::net {

/// Accepts connections of one listening socket on a reactor. Everything on the loop's thread (or
/// before it runs). Callbacks may destroy the acceptor.
class Acceptor {
 public:
  struct Callbacks {
    /// A connected socket, non-blocking, tuned, close-on-exec.
    std::function<void(UniqueFd connection)> on_connection;
    /// The listener itself is broken; nothing more comes. Too few descriptors is not this:
    /// accepting then pauses for a moment and goes on.
    std::function<void(Error)> on_error = {};
  };

  Acceptor(Reactor& reactor, UniqueFd listener, Callbacks callbacks);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Begins or resumes. Until then, and while paused, clients wait in the kernel's queue.
  Result<void> start();
  void pause();

  [[nodiscard]] int fd() const { return listener_.get(); }

 private:
  void acceptSome();
  void acceptLater();
  void fail(int err);

  Reactor& reactor_;
  UniqueFd listener_;
  std::shared_ptr<Callbacks> callbacks_;  // shared with a running callback, which may destroy us
  bool watching_ = false;
  Reactor::TimerId retry_ = 0;
};

}  // namespace flotilla::net
