#include "discovery/discovery_service.h"

#include <ctime>
#include <utility>
#include <vector>

#include "common/http/server.h"
#include "common/log/log.h"
#include "common/net/acceptor.h"
#include "common/net/socket.h"
#include "discovery/http/discovery_handler.h"

namespace flotilla::discovery {
namespace {

constexpr std::chrono::seconds kKeep{1};
constexpr std::chrono::seconds kDrain{3};

class Service final : public DiscoveryService {
 public:
  Service(Clusters clusters, Reactor& reactor, Metrics& metrics)
      : reactor_(reactor),
        clusters_(std::move(clusters)),
        handler_(clusters_, metrics),
        server_(std::make_unique<http::Server>(
            reactor, [this](const http::ExchangePtr& exchange) { handler_.handle(exchange); },
            http::ServerOptions{.header_timeout = std::chrono::seconds(10),
                                .body_timeout = std::chrono::seconds(10)})) {
    keepLater();
  }
  ~Service() override { reactor_.cancelTimer(timer_); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  Result<void> serve(UniqueFd listener, net::TlsContextPtr tls) override {
    auto acceptor = std::make_unique<net::Acceptor>(
        reactor_, std::move(listener),
        net::Acceptor::Callbacks{.on_connection = [this, tls](UniqueFd connection) {
          std::string peer = net::peerName(connection.get());
          server_->adopt(std::move(connection), std::move(peer), tls);
        }});
    FLO_TRY(acceptor->start());
    acceptors_.push_back(std::move(acceptor));
    return {};
  }

  void stop(std::function<void()> done) override {
    acceptors_.clear();
    auto once = std::make_shared<bool>(false);
    auto finish = [this, once, done = std::move(done)] {
      if (!std::exchange(*once, true)) {
        keep();
        done();
      }
    };
    reactor_.runAfter(kDrain, finish);
    server_->stop(finish);
  }

 private:
  void keepLater() {
    timer_ = reactor_.runAfter(kKeep, [this] {
      keep();
      keepLater();
    });
  }

  void keep() {
    if (const auto kept = clusters_.keep(); !kept) {
      log::error("the state cannot be written", {{"error", kept.error().message()}});
    }
  }

  Reactor& reactor_;
  Clusters clusters_;
  DiscoveryHandler handler_;
  std::unique_ptr<http::Server> server_;
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  Reactor::TimerId timer_ = 0;
};

}  // namespace

Result<std::unique_ptr<DiscoveryService>> DiscoveryService::create(const Options& options,
                                                                   Reactor& reactor,
                                                                   Metrics& metrics) {
  FLO_TRY_ASSIGN(Clusters clusters,
                 Clusters::open({.file = options.folder + "/clusters.json", .now = [] {
                                   return static_cast<std::int64_t>(std::time(nullptr));
                                 }}));
  return std::unique_ptr<DiscoveryService>(
      std::make_unique<Service>(std::move(clusters), reactor, metrics));
}

}  // namespace flotilla::discovery
