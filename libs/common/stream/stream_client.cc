#include "common/stream/stream_client.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "common/net/socket.h"
#include "common/net/socket_stream.h"
#include "common/net/tls_stream.h"

namespace flotilla {
namespace {

constexpr std::chrono::milliseconds kQueueFullRetry{2};
constexpr std::string_view kUnixScheme = "unix:";
constexpr std::string_view kTlsScheme = "tls:";

/// Where an endpoint is. Between hosts only TLS is spoken.
struct Destination {
  net::Address address;
  bool tls = false;
};

Result<Destination> parseDestination(std::string_view text) {
  if (text.starts_with(kUnixScheme)) {
    // Not parse(): it refuses paths no client could reach, which a connection from here can.
    std::string path(text.substr(kUnixScheme.size()));
    return Destination{{.kind = net::Address::Kind::Unix, .path = std::move(path)}, false};
  }
  if (text.starts_with(kTlsScheme)) {
    FLO_TRY_ASSIGN(net::Address address,
                   net::Address::parse("tcp:" + std::string(text.substr(kTlsScheme.size()))));
    return Destination{std::move(address), true};
  }
  return Error{ErrorKind::InvalidArgument,
               "stream endpoint " + std::string(text) + ": neither unix: nor tls:"};
}

/// One attempt, kept alive by its timer, by its watch or by its caller.
class Connector final : public std::enable_shared_from_this<Connector> {
 public:
  Connector(Reactor& reactor, Destination to, net::TlsContextPtr tls, std::string ticket,
            std::function<void(Result<net::StreamPtr>)> done)
      : reactor_(reactor),
        address_(std::move(to.address)),
        tls_(to.tls ? std::move(tls) : nullptr),
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
      self->greet();
    });
    if (!watched) {
      finish(std::move(watched).error());
    }
  }

  void greet() {
    if (!tls_) {
      return sendTicket();
    }
    if (const int err = net::connectError(fd_.get()); err != 0) {
      return fail(err);
    }
    net::tuneConnection(fd_.get());
    session_ = net::makeTlsStream(reactor_, std::move(fd_),
                                  {.context = tls_, .server_name = address_.host});
    session_->start([self = shared_from_this()] { self->sendTicketInside(); },
                    [self = shared_from_this()] { self->sendTicketInside(); });
    sendTicketInside();
  }

  /// Through the TLS session, as far as it takes it; the rest when it is ready for more.
  void sendTicketInside() {
    if (!session_) {
      return;
    }
    while (sent_ < greeting_.size()) {
      const auto taken = session_->write(std::string_view(greeting_).substr(sent_));
      if (!taken) {
        return finish(Error(ErrorKind::Unavailable,
                            "connect to " + address_.toString() + ": " + taken.error().message()));
      }
      if (*taken == 0) {
        return;
      }
      sent_ += *taken;
    }
    session_->enableRead(false);  // what comes is for the next owner
    finish(std::exchange(session_, nullptr));
  }

  void fail(int err) {
    finish(sysError("connect to " + address_.toString(), err).as(ErrorKind::Unavailable));
  }

  void sendTicket() {
    int err = net::connectError(fd_.get());
    // 33 bytes into an empty socket buffer: all or nothing.
    if (err == 0 && ::send(fd_.get(), greeting_.data(), greeting_.size(), MSG_NOSIGNAL) < 0) {
      err = errno;
    }
    if (err != 0) {
      return fail(err);
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
    if (session_) {
      std::exchange(session_, nullptr)->close();
    }
    if (done_) {
      std::exchange(done_, nullptr)(std::move(result));
    }
  }

  Reactor& reactor_;
  net::Address address_;
  net::TlsContextPtr tls_;  // null: a plain unix socket
  std::string greeting_;
  std::size_t sent_ = 0;
  std::function<void(Result<net::StreamPtr>)> done_;
  UniqueFd fd_;
  net::StreamPtr session_;  // while it takes the ticket
  Reactor::TimerId deadline_ = 0;
  Reactor::TimerId retry_ = 0;
};

}  // namespace

void connectStream(Reactor& reactor, const StreamEndpoint& endpoint, const StreamDial& dial,
                   std::function<void(Result<net::StreamPtr>)> done) {
  // Always later, never inside this call: callers need not care which.
  reactor.post([&reactor, endpoint, dial, done = std::move(done)]() mutable {
    Result<Destination> to = parseDestination(endpoint.address);
    if (!to) {
      return done(std::move(to).error());
    }
    if (to->tls && !dial.tls) {
      return done(
          Error(ErrorKind::InvalidArgument,
                "the stream is at " + endpoint.address +
                    ", on another host: a certificate of the cluster is needed to go there"));
    }
    std::make_shared<Connector>(reactor, *std::move(to), dial.tls, endpoint.ticket, std::move(done))
        ->start(dial.timeout);
  });
}

}  // namespace flotilla
