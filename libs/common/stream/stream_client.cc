#include "common/stream/stream_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/net/socket.h"
#include "common/net/socket_stream.h"

namespace flotilla {
namespace {

constexpr std::chrono::milliseconds kQueueFullRetry{2};

/// One attempt, kept alive by its timer, by its watch or by its caller.
class Connector final : public std::enable_shared_from_this<Connector> {
 public:
  Connector(Reactor& reactor, net::Address address, std::string ticket,
            std::function<void(Result<net::StreamPtr>)> done)
      : reactor_(reactor),
        address_(std::move(address)),
        greeting_(std::move(ticket) + "\n"),
        done_(std::move(done)) {}

  void start(std::chrono::milliseconds timeout) {
    deadline_ = reactor_.runAfter(timeout, [self = shared_from_this()] {
      self->finish(Error(ErrorKind::DeadlineExceeded,
                         "connect to " + self->address_.toString() + ": timed out"));
    });
    connect();
  }

 private:
  void connect() {
    retry_ = 0;
    Result<UniqueFd> fd = net::startConnect(address_);
    if (!fd && fd.error().sysErrno() == EAGAIN) {
      retry_ = reactor_.runAfter(kQueueFullRetry, [self = shared_from_this()] { self->connect(); });
      return;
    }
    if (!fd) {
      return finish(std::move(fd).error());
    }
    fd_ = std::move(*fd);
    if (address_.kind == net::Address::Kind::Unix) {
      return sendTicket();  // a unix connection is made at once
    }
    auto watched = reactor_.watch(fd_.get(), EPOLLOUT, [self = shared_from_this()](std::uint32_t) {
      self->reactor_.unwatch(self->fd_.get());
      self->sendTicket();
    });
    if (!watched) {
      finish(std::move(watched).error());
    }
  }

  void sendTicket() {
    int err = net::connectError(fd_.get());
    // 33 bytes into an empty socket buffer: all or nothing.
    if (err == 0 && ::send(fd_.get(), greeting_.data(), greeting_.size(), MSG_NOSIGNAL) < 0) {
      err = errno;
    }
    if (err != 0) {
      return finish(sysError("connect to " + address_.toString(), err).as(ErrorKind::Unavailable));
    }
    finish(net::makeSocketStream(reactor_, std::move(fd_)));
  }

  void finish(Result<net::StreamPtr> result) {
    auto self = shared_from_this();
    reactor_.cancelTimer(deadline_);
    reactor_.cancelTimer(retry_);
    if (fd_) {
      reactor_.unwatch(fd_.get());
      fd_.reset();
    }
    std::exchange(done_, nullptr)(std::move(result));
  }

  Reactor& reactor_;
  net::Address address_;
  std::string greeting_;
  std::function<void(Result<net::StreamPtr>)> done_;
  UniqueFd fd_;
  Reactor::TimerId deadline_ = 0;
  Reactor::TimerId retry_ = 0;
};

}  // namespace

void connectStream(Reactor& reactor, const StreamEndpoint& endpoint,
                   std::chrono::milliseconds timeout,
                   std::function<void(Result<net::StreamPtr>)> done) {
  // Always later, never inside this call: callers need not care which.
  reactor.post([&reactor, endpoint, timeout, done = std::move(done)]() mutable {
    Result<net::Address> address = net::Address::parse(endpoint.address);
    if (!address) {
      return done(std::move(address).error());
    }
    std::make_shared<Connector>(reactor, *std::move(address), endpoint.ticket, std::move(done))
        ->start(timeout);
  });
}

}  // namespace flotilla
