#include "registry-proxy/proxy_service.h"

#include <utility>

#include "common/http/server.h"
#include "common/log/log.h"
#include "common/net/acceptor.h"
#include "common/net/socket.h"
#include "registry-proxy/http/registry_handler.h"

namespace flotilla::registry {
namespace {

constexpr std::chrono::seconds kDrain{5};
constexpr std::chrono::minutes kTidy{10};
constexpr std::size_t kWorkThreads = 64;
constexpr std::size_t kFetchThreads = 32;
constexpr std::size_t kReadThreads = 8;
constexpr std::size_t kMaxQueued = 1024;

class Proxy final : public ProxyService {
 public:
  Proxy(ProxyOptions options, Reactor& reactor, Metrics& metrics, std::unique_ptr<BlobCache> cache)
      : options_(std::move(options)),
        reactor_(reactor),
        cache_(std::move(cache)),
        upstreams_({.mirrors = options_.mirrors,
                    .insecure = options_.insecure,
                    .http = {.certificate_folders = options_.certificate_folders}},
                   metrics),
        fetcher_(upstreams_, *cache_, fetches_, {}, metrics),
        handler_(reactor, work_, readers_, upstreams_, *cache_, fetcher_, metrics),
        server_(std::make_unique<http::Server>(
            reactor, [this](http::ExchangePtr exchange) { handler_.handle(std::move(exchange)); })),
        readers_({"read", kReadThreads, kMaxQueued}),
        fetches_({"fetch", kFetchThreads, kMaxQueued}),
        work_({"work", kWorkThreads, kMaxQueued}) {
    tidyLater();
  }

  ~Proxy() override {
    reactor_.cancelTimer(timer_);
    reactor_.cancelTimer(tidy_);
    fetcher_.stop();
    upstreams_.stop();
  }
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  Result<void> serve(UniqueFd listener, net::TlsContextPtr tls) override {
    auto acceptor = std::make_unique<net::Acceptor>(
        reactor_, std::move(listener),
        net::Acceptor::Callbacks{.on_connection = [this, tls](UniqueFd connection) {
          last_use_ = Reactor::Clock::now();
          std::string peer = net::peerName(connection.get());
          server_->adopt(std::move(connection), std::move(peer), tls);
        }});
    FLO_TRY(acceptor->start());
    acceptors_.push_back(std::move(acceptor));
    return {};
  }

  void onUnused(std::function<void()> unused) override {
    unused_ = std::move(unused);
    if (options_.idle_exit.count() > 0) {
      watchUse();
    }
  }

  void stop(std::function<void()> done) override {
    acceptors_.clear();
    auto once = std::make_shared<bool>(false);
    auto finish = [once, done = std::move(done)] {
      if (!std::exchange(*once, true)) {
        done();
      }
    };
    reactor_.runAfter(kDrain, finish);
    server_->stop(finish);
  }

 private:
  void tidyLater() {
    tidy_ = reactor_.runAfter(kTidy, [this] {
      (void)work_.post([this] {  // else the next time
        cache_->removeOldBeginnings();
        upstreams_.tidy();
      });
      tidyLater();
    });
  }

  void watchUse() {
    timer_ = reactor_.runAfter(options_.idle_exit / 2 + std::chrono::seconds(1), [this] {
      if (server_->connections() > 0) {
        last_use_ = Reactor::Clock::now();
      }
      if (Reactor::Clock::now() - last_use_ >= options_.idle_exit) {
        unused_();
      } else {
        watchUse();
      }
    });
  }

  const ProxyOptions options_;
  Reactor& reactor_;
  std::unique_ptr<BlobCache> cache_;
  Upstreams upstreams_;
  BlobFetcher fetcher_;
  RegistryHandler handler_;
  std::unique_ptr<http::Server> server_;
  std::vector<std::unique_ptr<net::Acceptor>> acceptors_;
  std::function<void()> unused_;
  Reactor::Clock::time_point last_use_ = Reactor::Clock::now();
  Reactor::TimerId timer_ = 0;
  Reactor::TimerId tidy_ = 0;
  // They join when they go, which is before what their threads use goes.
  ThreadPool readers_;
  ThreadPool fetches_;
  ThreadPool work_;
};

}  // namespace

Result<std::unique_ptr<ProxyService>> ProxyService::create(ProxyOptions options, Reactor& reactor,
                                                           Metrics& metrics) {
  FLO_TRY_ASSIGN(
      auto cache,
      BlobCache::open({.folder = options.cache_folder, .budget = options.cache_size}, metrics));
  return std::unique_ptr<ProxyService>(
      std::make_unique<Proxy>(std::move(options), reactor, metrics, std::move(cache)));
}

}  // namespace flotilla::registry
