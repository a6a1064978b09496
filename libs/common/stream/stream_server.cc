#include "common/stream/stream_server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <unordered_map>
#include <utility>
#include <variant>

#include "common/log/log.h"
#include "common/net/acceptor.h"
#include "common/net/socket.h"
#include "common/net/socket_stream.h"
#include "common/os/peer_access.h"
#include "common/stream/ticket_book.h"

namespace flotilla {
namespace {

using StreamCallback = std::function<void(Result<net::StreamPtr>)>;
using FdCallback = std::function<void(Result<int>)>;
using Accepted = std::variant<StreamCallback, FdCallback>;
using Tickets = TicketBook<Accepted>;

void failAccepted(const Accepted& accepted, const Error& error) {
  std::visit([&error](const auto& callback) { callback(error); }, accepted);
}

/// A connection that has not shown its ticket yet. Reads not one byte past it.
struct Visitor {
  UniqueFd fd;
  std::array<char, Tickets::kDigits + 1> line{};
  std::size_t filled = 0;
  Reactor::TimerId deadline = 0;
};

class UnixStreamServer final : public StreamServer,
                               public std::enable_shared_from_this<UnixStreamServer> {
 public:
  UnixStreamServer(Reactor& reactor, std::string path, UniqueFd listener,
                   std::chrono::milliseconds lifetime)
      : reactor_(reactor),
        path_(std::move(path)),
        lifetime_(lifetime),
        acceptor_(reactor, std::move(listener),
                  {.on_connection = [this](UniqueFd fd) { welcome(std::move(fd)); }}) {}

  ~UnixStreamServer() override = default;
  UnixStreamServer(const UnixStreamServer&) = delete;
  UnixStreamServer& operator=(const UnixStreamServer&) = delete;

  Result<void> start() { return acceptor_.start(); }

  /// On the loop's thread; then everything of the loop's is gone, whoever drops the last reference.
  void shutDown() {
    acceptor_.pause();
    while (!visitors_.empty()) {
      dismiss(visitors_.begin()->first);
    }
    ::unlink(path_.c_str());
  }

  StreamEndpoint expect(std::function<void(Result<net::StreamPtr>)> accepted) override {
    return issue(std::move(accepted));
  }
  StreamEndpoint expectFd(std::function<void(Result<int>)> accepted) override {
    return issue(std::move(accepted));
  }

 private:
  StreamEndpoint issue(Accepted accepted) {
    std::string ticket = tickets_.issue(std::move(accepted));
    // The timer is the reactor's: set on its thread. It stays when the ticket is used, and finds
    // nothing then.
    reactor_.post([weak = weak_from_this(), ticket] {
      if (auto self = weak.lock()) {
        self->reactor_.runAfter(self->lifetime_, [weak, ticket] {
          if (auto server = weak.lock()) {
            server->expire(ticket);
          }
        });
      }
    });
    return {.address = "unix:" + path_, .ticket = std::move(ticket)};
  }

  void expire(const std::string& ticket) {
    if (auto accepted = tickets_.take(ticket)) {
      failAccepted(*accepted, Error(ErrorKind::DeadlineExceeded, "nobody came for the stream"));
    }
  }

  void welcome(UniqueFd fd);
  void readTicket(int number);
  void admit(int number);
  /// Forgets the visitor and closes its connection.
  UniqueFd dismiss(int number);

  Reactor& reactor_;
  std::string path_;
  std::chrono::milliseconds lifetime_;
  Tickets tickets_;
  net::Acceptor acceptor_;
  std::unordered_map<int, Visitor> visitors_;  // by descriptor
};

void UnixStreamServer::welcome(UniqueFd fd) {
  const int number = fd.get();
  if (!peerHasAccess(number, groupOf(path_.c_str()))) {
    log::warning("stream socket: a peer of a foreign user",
                 {{"socket", path_}, {"peer", net::peerName(number)}});
    return;
  }
  Visitor visitor;
  visitor.fd = std::move(fd);
  if (!reactor_.watch(number, EPOLLIN, [this, number](std::uint32_t) { readTicket(number); })) {
    return;
  }
  visitor.deadline = reactor_.runAfter(lifetime_, [this, number] { dismiss(number); });
  visitors_.emplace(number, std::move(visitor));
  readTicket(number);  // a client writes its ticket at once: usually it is there already
}

void UnixStreamServer::readTicket(int number) {
  Visitor& visitor = visitors_.at(number);
  ssize_t n = ::recv(number, visitor.line.data() + visitor.filled,
                     visitor.line.size() - visitor.filled, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
    return;
  }
  if (n <= 0) {
    dismiss(number);
    return;
  }
  visitor.filled += static_cast<std::size_t>(n);
  if (visitor.filled == visitor.line.size()) {
    admit(number);
  }
}

void UnixStreamServer::admit(int number) {
  const auto line = visitors_.at(number).line;
  UniqueFd fd = dismiss(number);
  auto accepted =
      line.back() == '\n' ? tickets_.take({line.data(), Tickets::kDigits}) : std::nullopt;
  if (!accepted) {
    log::warning("stream socket: a ticket that is void or was never issued",
                 {{"socket", path_}, {"peer", net::peerName(fd.get())}});
    return;
  }
  if (auto* on_stream = std::get_if<StreamCallback>(&*accepted)) {
    (*on_stream)(net::makeSocketStream(reactor_, std::move(fd)));
    return;
  }
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK);
  std::get<FdCallback> (*accepted)(fd.release());
}

UniqueFd UnixStreamServer::dismiss(int number) {
  auto it = visitors_.find(number);
  UniqueFd fd = std::move(it->second.fd);
  reactor_.unwatch(number);
  reactor_.cancelTimer(it->second.deadline);
  visitors_.erase(it);
  return fd;
}

/// What callers own. Timers and posted functions may outlive it and find the server shut down.
class StreamServerHandle final : public StreamServer {
 public:
  explicit StreamServerHandle(std::shared_ptr<UnixStreamServer> server)
      : server_(std::move(server)) {}
  ~StreamServerHandle() override { server_->shutDown(); }
  StreamServerHandle(const StreamServerHandle&) = delete;
  StreamServerHandle& operator=(const StreamServerHandle&) = delete;

  StreamEndpoint expect(std::function<void(Result<net::StreamPtr>)> accepted) override {
    return server_->expect(std::move(accepted));
  }
  StreamEndpoint expectFd(std::function<void(Result<int>)> accepted) override {
    return server_->expectFd(std::move(accepted));
  }

 private:
  std::shared_ptr<UnixStreamServer> server_;  // shared with functions posted to the reactor
};

}  // namespace

Result<std::unique_ptr<StreamServer>> StreamServer::listenUnix(
    Reactor& reactor, const std::string& path, std::chrono::milliseconds ticket_lifetime) {
  FLO_TRY_ASSIGN(net::Address address, net::Address::parse("unix:" + path));
  FLO_TRY_ASSIGN(UniqueFd listener, net::listenOn(address, {.mode = 0660}));
  auto server =
      std::make_shared<UnixStreamServer>(reactor, path, std::move(listener), ticket_lifetime);
  FLO_TRY(server->start());
  return std::unique_ptr<StreamServer>(std::make_unique<StreamServerHandle>(std::move(server)));
}

}  // namespace flotilla
