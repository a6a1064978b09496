#include "api-gateway/cluster/cluster_endpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "api-gateway/cluster/queue_engine.h"
#include "api-gateway/cluster/redis_directory.h"
#include "common/log/log.h"

namespace flotilla::gateway {
namespace {

constexpr std::chrono::seconds kPatience{5};  // with hosts, before the API opens

/// A folder that only this user enters.
Result<void> makePrivateFolder(const std::string& path) {
  std::error_code failed;
  if (std::filesystem::create_directories(path, failed)) {
    std::filesystem::permissions(path, std::filesystem::perms::owner_all, failed);
  }
  return failed ? Result<void>{sysError("create " + path, failed.value())} : Result<void>{};
}

class WiredCluster final : public ClusterEndpoint {
 public:
  WiredCluster(Reactor& reactor, RedisConnectionPtr redis, const std::string& cluster,
               std::unique_ptr<StreamServer> streams)
      : reactor_(reactor),
        redis_(std::move(redis)),
        directory_(redis_, cluster),
        streams_(std::move(streams)) {}

  ~WiredCluster() override {
    reactor_.cancelTimer(patience_);
    redis_->close();
  }
  WiredCluster(const WiredCluster&) = delete;
  WiredCluster& operator=(const WiredCluster&) = delete;

  Result<void> wire(const std::string& url, CheckedClusterSettings settings, JobQueue& queue) {
    FLO_TRY_ASSIGN(discovery_, makeDiscovery(url, reactor_, settings.discovery));
    FLO_TRY_ASSIGN(swarm_, SwarmCluster::create(
                               std::move(settings.swarm), reactor_,
                               [&queue](const std::string& id) {
                                 return std::make_shared<QueueEngine>(queue, id);
                               },
                               *discovery_, directory_, *streams_));
    return {};
  }

  EngineClient& client() override { return *swarm_; }

  void start(std::function<void()> ready) override {
    ready_ = std::move(ready);
    redis_->start();
    patience_ = reactor_.runAfter(kPatience, [this] {
      patience_ = 0;
      if (ready_) {
        log::warning("not every host is known yet: the API opens without them");
        open();
      }
    });
    swarm_->start([this] { open(); });
  }

 private:
  void open() {
    if (const auto ready = std::exchange(ready_, nullptr)) {
      ready();
    }
  }

  Reactor& reactor_;
  const RedisConnectionPtr redis_;
  RedisDirectory directory_;
  const std::unique_ptr<StreamServer> streams_;
  std::unique_ptr<Discovery> discovery_;
  std::unique_ptr<SwarmCluster> swarm_;  // watches and uses all of these
  std::function<void()> ready_;
  Reactor::TimerId patience_ = 0;
};

}  // namespace

Result<std::unique_ptr<ClusterEndpoint>> ClusterEndpoint::create(
    const ClusterSettings& settings, const RedisTarget& redis, const std::string& cluster,
    const std::string& run_folder, Reactor& reactor, JobQueue& queue) {
  FLO_TRY_ASSIGN(auto checked, checkClusterSettings(settings));
  FLO_TRY(makePrivateFolder(run_folder));
  FLO_TRY_ASSIGN(
      auto streams,
      StreamServer::listenUnix(reactor, run_folder + "/" + std::to_string(::getpid()) + ".sock"));
  auto directory = RedisConnection::create(
      reactor, {.target = redis, .name = "flotilla-directory"}, {.on_lost = [](const Error& why) {
        log::warning("the directory of hosts is away", {{"error", why.message()}});
      }});
  auto made =
      std::make_unique<WiredCluster>(reactor, std::move(directory), cluster, std::move(streams));
  checked.discovery.cluster = cluster;
  FLO_TRY(made->wire(settings.discovery, std::move(checked), queue));
  return std::unique_ptr<ClusterEndpoint>(std::move(made));
}

}  // namespace flotilla::gateway
