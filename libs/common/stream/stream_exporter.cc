#include "common/stream/stream_exporter.h"

#include <array>
#include <map>
#include <utility>

#include "common/log/log.h"
#include "common/net/acceptor.h"
#include "common/net/socket.h"
#include "common/net/tls_stream.h"
#include "common/stream/relay.h"
#include "common/stream/stream_client.h"
#include "common/stream/ticket_book.h"

namespace flotilla {
namespace {

using ExportTickets = TicketBook<StreamEndpoint>;

constexpr std::size_t kMaxVisitors = 1024;
constexpr std::chrono::seconds kLocalTimeout{10};

/// A connection that has not shown its ticket yet. Reads not one byte past it.
struct ExportVisitor {
  net::StreamPtr stream;
  std::string peer;
  std::array<char, ExportTickets::kDigits + 1> line{};
  std::size_t filled = 0;
  Reactor::TimerId deadline = 0;
};

class TlsStreamExporter final : public std::enable_shared_from_this<TlsStreamExporter> {
 public:
  TlsStreamExporter(Reactor& reactor, StreamExporter::Options options, UniqueFd listener,
                    std::string address)
      : reactor_(reactor),
        options_(std::move(options)),
        address_(std::move(address)),
        acceptor_(reactor, std::move(listener),
                  {.on_connection = [this](UniqueFd fd) { welcome(std::move(fd)); }}) {}

  Result<void> start() { return acceptor_.start(); }

  void shutDown() {
    acceptor_.pause();
    while (!visitors_.empty()) {
      dismiss(visitors_.begin()->first)->abort();
    }
    relays_.cut(Error{ErrorKind::Unavailable, "the stream port is closed"});
  }

  StreamEndpoint publish(const StreamEndpoint& local) {
    std::string ticket = tickets_.issue(local);
    reactor_.post([weak = weak_from_this(), ticket] {
      if (const auto self = weak.lock()) {
        self->reactor_.runAfter(self->options_.ticket_lifetime, [weak, ticket] {
          if (const auto exporter = weak.lock()) {
            exporter->tickets_.take(ticket);  // a used one is not there any more
          }
        });
      }
    });
    return {.address = "tls:" + address_, .ticket = std::move(ticket)};
  }

  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void welcome(UniqueFd fd) {
    if (visitors_.size() >= kMaxVisitors) {
      log::warning("stream port: too many connections without a ticket", {{"port", address_}});
      return;
    }
    ExportVisitor visitor;
    visitor.peer = net::peerName(fd.get());
    visitor.stream = net::makeTlsStream(
        reactor_, std::move(fd),
        {.context = options_.tls, .handshake_timeout = options_.ticket_lifetime});
    const std::uint64_t number = ++last_visitor_;
    visitor.deadline =
        reactor_.runAfter(options_.ticket_lifetime, [this, number] { dismiss(number)->abort(); });
    const net::StreamPtr stream = visitor.stream;
    visitors_.emplace(number, std::move(visitor));
    stream->start([this, number] { readTicket(number); }, [] {});
  }

  void readTicket(std::uint64_t number) {
    const auto it = visitors_.find(number);
    if (it == visitors_.end()) {
      return;
    }
    ExportVisitor& visitor = it->second;
    const auto n = visitor.stream->read(visitor.line.data() + visitor.filled,
                                        visitor.line.size() - visitor.filled);
    if (!n && n.error().kind() == ErrorKind::Unavailable) {
      return;
    }
    if (!n || *n == 0) {
      log::warning("stream port: a visitor left without a ticket",
                   {{"peer", visitor.peer}, {"reason", n ? "closed" : n.error().message()}});
      dismiss(number)->abort();
      return;
    }
    visitor.filled += *n;
    if (visitor.filled == visitor.line.size()) {
      admit(number);
    }
  }

  void admit(std::uint64_t number) {
    const auto line = visitors_.at(number).line;
    const std::string peer = visitors_.at(number).peer;
    net::StreamPtr remote = dismiss(number);
    auto local =
        line.back() == '\n' ? tickets_.take({line.data(), ExportTickets::kDigits}) : std::nullopt;
    if (!local) {
      log::warning("stream port: a ticket that is void or was never issued", {{"peer", peer}});
      remote->abort();
      return;
    }
    remote->enableRead(false);
    connectStream(
        reactor_, *local, {.timeout = kLocalTimeout},
        [weak = weak_from_this(), remote = std::move(remote)](Result<net::StreamPtr> stream) {
          const auto self = weak.lock();
          if (!stream) {
            log::warning("stream for another host: " + stream.error().message());
          }
          if (!stream || !self) {
            remote->abort();
            return;
          }
          self->relays_.add(relay(self->reactor_, remote, *std::move(stream), RelayEnd::BothSides,
                                  [](const std::optional<RelayFailure>&) {}));
        });
  }

  /// Forgets the visitor; its connection is the caller's.
  net::StreamPtr dismiss(std::uint64_t number) {
    const auto it = visitors_.find(number);
    net::StreamPtr stream = std::move(it->second.stream);
    reactor_.cancelTimer(it->second.deadline);
    visitors_.erase(it);
    return stream;
  }

  Reactor& reactor_;
  const StreamExporter::Options options_;
  const std::string address_;
  ExportTickets tickets_;
  net::Acceptor acceptor_;
  std::map<std::uint64_t, ExportVisitor> visitors_;
  RelayGroup relays_;
  std::uint64_t last_visitor_ = 0;
};

/// What callers own. Timers and posted functions may outlive it and find the exporter shut down.
class ExporterHandle final : public StreamExporter {
 public:
  explicit ExporterHandle(std::shared_ptr<TlsStreamExporter> exporter)
      : exporter_(std::move(exporter)) {}
  ~ExporterHandle() override { exporter_->shutDown(); }
  ExporterHandle(const ExporterHandle&) = delete;
  ExporterHandle& operator=(const ExporterHandle&) = delete;

  StreamEndpoint publish(const StreamEndpoint& local) override { return exporter_->publish(local); }
  [[nodiscard]] std::string address() const override { return exporter_->address(); }

 private:
  const std::shared_ptr<TlsStreamExporter> exporter_;  // shared with functions on the reactor
};

std::string hostPort(const std::string& host, std::uint16_t port) {
  const bool bare_v6 = host.find(':') != std::string::npos && !host.starts_with('[');
  return (bare_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace

Result<std::unique_ptr<StreamExporter>> StreamExporter::listen(Reactor& reactor,
                                                               const Options& options) {
  if (!options.tls || options.tls->role() != net::TlsContext::Role::Server ||
      options.tls->peerCheck() != net::TlsContext::PeerCheck::Required) {
    return Error{
        ErrorKind::InvalidArgument,
        "streams between hosts need mutual TLS: a certificate, its key and the cluster's CA"};
  }
  FLO_TRY_ASSIGN(UniqueFd listener, net::listenOn(options.listen));
  FLO_TRY_ASSIGN(const net::Address bound, net::localAddress(listener.get()));
  const std::string& host = options.advertise.empty() ? options.listen.host : options.advertise;
  auto exporter = std::make_shared<TlsStreamExporter>(reactor, options, std::move(listener),
                                                      hostPort(host, bound.port));
  FLO_TRY(exporter->start());
  return std::unique_ptr<StreamExporter>(std::make_unique<ExporterHandle>(std::move(exporter)));
}

}  // namespace flotilla
