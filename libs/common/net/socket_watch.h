#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "common/event/reactor.h"

namespace flotilla::net {

/// One socket's registration with the reactor. With no interest the socket leaves epoll altogether:
/// the kernel reports hang-ups unasked, and a peer that is gone would make the loop spin.
class SocketWatch {
 public:
  SocketWatch(Reactor& reactor, int fd) : reactor_(reactor), fd_(fd) {}
  ~SocketWatch() { want(0); }
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;

  void setHandler(std::function<void(std::uint32_t)> handler) { handler_ = std::move(handler); }

  void want(std::uint32_t events) {
    if (events == events_) {
      return;
    }
    if (events == 0) {
      reactor_.unwatch(fd_);
    } else if (events_ == 0) {
      // A copy, which the reactor keeps alive while it runs: the handler may destroy us.
      if (!reactor_.watch(fd_, events, handler_)) {
        return;  // out of memory, or a number watched twice, which would be a bug
      }
    } else {
      reactor_.modify(fd_, events);
    }
    events_ = events;
  }

 private:
  Reactor& reactor_;
  int fd_;
  std::uint32_t events_ = 0;
  std::function<void(std::uint32_t)> handler_;
};

}  // namespace flotilla::net
