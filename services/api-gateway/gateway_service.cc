#include "api-gateway/gateway_service.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "common/http/server.h"
#include "common/log/log.h"
#include "common/net/acceptor.h"
#include "common/net/socket.h"
#include "common/net/tls_context.h"

namespace flotilla::gateway {
namespace {

// How long answers that have begun may go on after the last one began, on the way down: enough for
// what is being written, not for what never ends (followed logs, waits).
constexpr std::chrono::seconds kLastWrites{1};

/// The structured access log, one line for each answer; what we failed at always.
void logAccess(const http::AccessRecord& record, bool wanted) {
  const bool failed = record.status == 500;
  const auto level = failed ? log::Level::Warning : wanted ? log::Level::Info : log::Level::Debug;
  if (!log::enabled(level)) {
    return;
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(record.took);
  log::write(level, "request",
             {{"request_id", record.request->id},
              {"method", record.request->method},
              {"path", record.request->path},
              {"status", std::to_string(record.status)},
              {"bytes", std::to_string(record.body_bytes)},
              {"us", std::to_string(took.count())},
              {"peer", record.request->peer}});
}

class Gateway final : public GatewayService {
 public:
  Gateway(GatewayOptions options, Reactor& reactor, EngineClient& cluster, Metrics& metrics,
          net::TlsContextPtr tls)
      : options_(std::move(options)),
        reactor_(reactor),
        tls_(std::move(tls)),
        connections_(
            metrics.gauge("flotilla_http_open_connections", "Connections of API clients.")),
        handler_(options_.api, reactor, cluster, metrics),
        guarded_(makeServer(Exposure::Guarded)),
        plain_(makeServer(Exposure::PlainTcp)) {
    metrics.beforeText([this] {
      connections_.Set(static_cast<double>(guarded_->connections() + plain_->connections()));
    });
    handler_.onAllAnswered([this] {
      if (stopping_) {
        reactor_.post([this] { lastAnswerBegan(); });
      }
    });
  }

  ~Gateway() override {
    reactor_.cancelTimer(deadline_);
    closeListeners();
  }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  Result<void> listen(std::function<void(Error)> on_failure) override;
  void open() override { handler_.gate().open(); }
  void stop(std::function<void()> done) override;
  [[nodiscard]] ApiHandler& handler() override { return handler_; }

 private:
  struct Listener {
    std::string name;
    std::string socket_path;
    std::unique_ptr<net::Acceptor> acceptor;
  };

  std::unique_ptr<http::Server> makeServer(Exposure exposure) {
    return std::make_unique<http::Server>(
        reactor_,
        [this, exposure](http::ExchangePtr exchange) {
          handler_.handle(std::move(exchange), exposure);
        },
        http::ServerOptions{
            .on_complete = [wanted = options_.access_log](const http::AccessRecord& record) {
              logAccess(record, wanted);
            }});
  }

  void addListener(BoundListener bound, const std::function<void(Error)>& on_failure);
  void closeListeners();
  /// Nothing waits for a head any more: what is left gets a moment to finish its body.
  void lastAnswerBegan();
  void finish();

  const GatewayOptions options_;
  Reactor& reactor_;
  const net::TlsContextPtr tls_;
  prometheus::Gauge& connections_;
  ApiHandler handler_;
  std::unique_ptr<http::Server> guarded_;
  std::unique_ptr<http::Server> plain_;  // plain tcp, which browsers reach
  std::vector<Listener> listeners_;
  // On the way down:
  std::vector<std::function<void()>> done_;
  std::atomic<bool> stopping_ = false;
  bool stopped_ = false;
  int servers_left_ = 0;
  Reactor::TimerId deadline_ = 0;
};

Result<void> Gateway::listen(std::function<void(Error)> on_failure) {
  auto activated = process::ActivatedSockets::fromServiceManager();
  for (const std::string& host : options_.hosts) {
    FLO_TRY_ASSIGN(auto bound, bindListeners(host, options_.bind, activated));
    for (auto& listener : bound) {
      addListener(std::move(listener), on_failure);
    }
  }
  for (const Listener& listener : listeners_) {
    FLO_TRY(listener.acceptor->start());
  }
  return {};
}

void Gateway::addListener(BoundListener bound, const std::function<void(Error)>& on_failure) {
  http::Server& server = bound.exposure == Exposure::Guarded ? *guarded_ : *plain_;
  net::TlsContextPtr tls = bound.is_tcp ? tls_ : nullptr;
  net::Acceptor::Callbacks callbacks{
      .on_connection =
          [&server, tls](UniqueFd connection) {
            std::string peer = net::peerName(connection.get());
            server.adopt(std::move(connection), std::move(peer), tls);
          },
      .on_error = [on_failure,
                   name = bound.name](Error error) { on_failure(std::move(error).context(name)); }};
  listeners_.push_back(
      {bound.name, bound.socket_path,
       std::make_unique<net::Acceptor>(reactor_, std::move(bound.fd), std::move(callbacks))});
}

void Gateway::closeListeners() {
  for (const Listener& listener : std::exchange(listeners_, {})) {
    if (!listener.socket_path.empty()) {
      ::unlink(listener.socket_path.c_str());
    }
  }
}

void Gateway::stop(std::function<void()> done) {
  if (stopped_) {
    done();
    return;
  }
  done_.push_back(std::move(done));
  if (stopping_.exchange(true)) {
    return;
  }
  closeListeners();
  if (!handler_.gate().isOpen()) {
    handler_.gate().shut("the daemon is shutting down");
  }
  deadline_ = reactor_.runAfter(options_.drain, [this] { finish(); });
  servers_left_ = 2;
  for (http::Server* server : {guarded_.get(), plain_.get()}) {
    server->stop([this] {
      if (--servers_left_ == 0) {
        // Not from within the server that is about to be destroyed.
        reactor_.post([this] { finish(); });
      }
    });
  }
  if (handler_.unanswered() == 0) {
    lastAnswerBegan();
  }
}

void Gateway::lastAnswerBegan() {
  if (stopped_) {
    return;
  }
  reactor_.cancelTimer(deadline_);
  deadline_ = reactor_.runAfter(std::min<std::chrono::milliseconds>(kLastWrites, options_.drain),
                                [this] { finish(); });
}

void Gateway::finish() {
  if (std::exchange(stopped_, true)) {
    return;
  }
  reactor_.cancelTimer(deadline_);
  guarded_.reset();
  plain_.reset();
  handler_.cutHijacked(Error{ErrorKind::Unavailable, "the daemon is shutting down"});
  // Behind what the closed connections have posted: streams that are cut end before the reactor.
  reactor_.post([all = std::exchange(done_, {})] {
    for (const auto& done : all) {
      done();
    }
  });
}

}  // namespace

Result<std::unique_ptr<GatewayService>> GatewayService::create(GatewayOptions options,
                                                               Reactor& reactor,
                                                               EngineClient& cluster,
                                                               Metrics& metrics) {
  net::TlsContextPtr tls;
  if (options.bind.tls) {
    const auto check = options.tls.ca.empty() ? net::TlsContext::PeerCheck::None
                                              : net::TlsContext::PeerCheck::Required;
    FLO_TRY_ASSIGN(tls, net::TlsContext::create({.role = net::TlsContext::Role::Server,
                                                 .cert_file = options.tls.cert,
                                                 .key_file = options.tls.key,
                                                 .ca_file = options.tls.ca,
                                                 .peer_check = check}));
  }
  return std::unique_ptr<GatewayService>(
      std::make_unique<Gateway>(std::move(options), reactor, cluster, metrics, std::move(tls)));
}

}  // namespace flotilla::gateway
