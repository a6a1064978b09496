#include "common/net/tls_close_notify.h"

#include <openssl/err.h>
#include <sys/epoll.h>

#include <chrono>
#include <utility>

#include "common/net/socket_watch.h"

namespace flotilla::net {
namespace {

constexpr std::chrono::seconds kPatience{10};

/// Kept alive by its timer.
class LateEnd : public std::enable_shared_from_this<LateEnd> {
 public:
  LateEnd(Reactor& reactor, UniqueFd socket, TlsSession session)
      : reactor_(reactor),
        socket_(std::move(socket)),
        watch_(reactor, socket_.get()),
        session_(std::move(session)) {}

  void begin() {
    watch_.setHandler([this](std::uint32_t events) {
      if ((events & (EPOLLHUP | EPOLLERR)) != 0 || sendCloseNotify(session_.get())) {
        reactor_.cancelTimer(deadline_);  // the last that knows this
      }
    });
    deadline_ = reactor_.runAfter(kPatience, [self = shared_from_this()] {});
    watch_.want(EPOLLOUT);
  }

 private:
  Reactor& reactor_;
  UniqueFd socket_;
  SocketWatch watch_;  // after socket_: leaves epoll before the descriptor closes
  TlsSession session_;
  Reactor::TimerId deadline_ = 0;
};

}  // namespace

bool sendCloseNotify(SSL* session) {
  ERR_clear_error();
  const int rc = SSL_shutdown(session);  // when the socket is full: -1, the next times 0
  const bool full = rc <= 0 && SSL_get_error(session, rc) == SSL_ERROR_WANT_WRITE;
  ERR_clear_error();
  return !full;
}

void sendCloseNotifyLater(Reactor& reactor, UniqueFd socket, TlsSession session) {
  std::make_shared<LateEnd>(reactor, std::move(socket), std::move(session))->begin();
}

}  // namespace flotilla::net
