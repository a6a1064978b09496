#include "common/net/acceptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "common/net/socket.h"

namespace flotilla::net {
namespace {

constexpr int kPerRound = 64;  // then other descriptors have their turn
constexpr std::chrono::milliseconds kRetry{100};

/// Errors of the connection that was about to be accepted, or of a passing shortage, not of the
/// listener.
bool concernsOneConnection(int err) {
  return err == EINTR || err == ECONNABORTED || err == EPROTO || err == EPERM || err == ENETDOWN ||
         err == EHOSTDOWN || err == EHOSTUNREACH || err == ENETUNREACH || err == ENONET ||
         err == ENOPROTOOPT;
}

bool isShortage(int err) {
  return err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM;
}

}  // namespace

Acceptor::Acceptor(Reactor& reactor, UniqueFd listener, Callbacks callbacks)
    : reactor_(reactor),
      listener_(std::move(listener)),
      callbacks_(std::make_shared<Callbacks>(std::move(callbacks))) {}

Acceptor::~Acceptor() { pause(); }

Result<void> Acceptor::start() {
  if (watching_) {
    return {};
  }
  FLO_TRY(reactor_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { acceptSome(); }));
  watching_ = true;
  return {};
}

void Acceptor::pause() {
  if (watching_) {
    reactor_.unwatch(listener_.get());
    watching_ = false;
  }
  reactor_.cancelTimer(std::exchange(retry_, 0));
}

void Acceptor::acceptSome() {
  std::shared_ptr<Callbacks> callbacks = callbacks_;
  for (int i = 0; i < kPerRound && watching_; ++i) {
    UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      tuneConnection(fd.get());
      callbacks->on_connection(std::move(fd));
      if (callbacks.use_count() == 1) {
        return;  // the callback destroyed us
      }
      continue;
    }
    if (errno == EAGAIN) {
      return;
    }
    if (isShortage(errno)) {
      return acceptLater();
    }
    if (!concernsOneConnection(errno)) {
      return fail(errno);
    }
  }
}

void Acceptor::acceptLater() {
  pause();
  retry_ = reactor_.runAfter(kRetry, [this] {
    retry_ = 0;
    if (Result<void> started = start(); !started) {
      fail(started.error().sysErrno());
    }
  });
}

void Acceptor::fail(int err) {
  std::shared_ptr<Callbacks> callbacks = callbacks_;
  pause();
  if (callbacks->on_error) {
    callbacks->on_error(sysError("accept", err));
  }
}

}  // namespace flotilla::net
