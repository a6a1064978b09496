#include "engine/worker/host_registration.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/config/duration.h"
#include "common/discovery/discovery.h"
#include "common/log/log.h"
#include "common/net/address.h"
#include "common/queue/host_record.h"
#include "common/queue/redis_keys.h"

namespace flotilla::engine {
namespace {

constexpr const char* kRefusalLifetime = "600000";  // as long as an operator looks at `info`
constexpr std::chrono::seconds kTellLimit{1};
// The discovery service may take, so that an answer comes before the next announcement.
constexpr std::chrono::seconds kQuickest{3};
constexpr std::chrono::seconds kSlowest{10};

Error invalid(std::string message) { return Error{ErrorKind::InvalidArgument, std::move(message)}; }

/// Where gateways find this host's streams is a good name for the host.
Result<std::string> defaultAddress(const WorkerOptions& options) {
  if (options.stream_listen.empty()) {
    return std::string();
  }
  FLO_TRY_ASSIGN(const auto listen, net::Address::parse(options.stream_listen, kStreamPort));
  std::string host = options.stream_advertise.empty() ? listen.host : options.stream_advertise;
  if (host.find(':') != std::string::npos && !host.starts_with('[')) {
    host = "[" + host + "]";
  }
  return host + ":" + std::to_string(listen.port);
}

class Registration final : public HostRegistration {
 public:
  Registration(RegistrationSettings settings, std::string cluster, HostRecord record,
               Reactor& reactor)
      : settings_(std::move(settings)),
        cluster_(std::move(cluster)),
        record_(std::move(record)),
        reactor_(reactor) {}

  ~Registration() override {
    reactor_.cancelTimer(timer_);
    reactor_.cancelTimer(limit_);
    announcement_.reset();
    redis_->close();
  }
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

  Result<void> open(const WorkerOptions& options, const RedisTarget& redis) {
    if (!settings_.discovery.empty()) {
      DiscoveryOptions discovery;
      discovery.heartbeat = settings_.heartbeat;
      discovery.cluster = cluster_;
      discovery.token = {
          .ca_file = options.tls_ca_cert,
          .cert_file = options.tls_cert,
          .key_file = options.tls_key,
          .timeout = std::clamp<std::chrono::seconds>(settings_.heartbeat, kQuickest, kSlowest)};
      discovery.announce_failed = [this](const Error& why) { announced(why); };
      FLO_TRY_ASSIGN(discovery_, makeDiscovery(settings_.discovery, reactor_, discovery));
    }
    redis_ = RedisConnection::create(reactor_, {.target = redis, .name = "flotilla-leader"},
                                     {.on_ready = [this] { ready(); }});
    return {};
  }

  void begin() override {
    if (announcement_ || refusal_) {
      return;
    }
    redis_->start();
    announcement_.emplace(reactor_, redis_, cluster_, settings_.address, record_);
    announce();
  }

  void refuse(const std::string& why, std::function<void()> done) override {
    announcement_.reset();
    refused_ = std::move(done);
    refusal_ = record_;
    refusal_->refusal = why;
    limit_ = reactor_.runAfter(kTellLimit, [this] {
      limit_ = 0;
      tellRefused();
    });
    redis_->ready() ? ready() : redis_->start();
    announce();
  }

 private:
  void ready() {
    if (announcement_) {
      announcement_->update(record_);  // Redis may have lost it
    }
    if (!refusal_) {
      return;
    }
    // Never over the record of an engine that works.
    redis_->send({"SET", RedisKeys(cluster_).host(settings_.address), encodeHostRecord(*refusal_),
                  "NX", "PX", kRefusalLifetime},
                 [this](const Result<RedisReply>&) { tellRefused(); });
  }

  void tellRefused() {
    reactor_.cancelTimer(std::exchange(limit_, 0));
    if (const auto done = std::exchange(refused_, nullptr)) {
      done();
    }
  }

  void announce() {
    if (!discovery_) {
      return;
    }
    if (const auto told = discovery_->announce(settings_.address, settings_.ttl); !told) {
      if (told.error().kind() == ErrorKind::NotImplemented) {
        log::info("discovery lists hosts by hand", {{"discovery", settings_.discovery}});
        discovery_.reset();
        return;
      }
      announced(told.error());
    }
    timer_ = reactor_.runAfter(settings_.heartbeat, [this] { announce(); });
  }

  void announced(const Error& why) {
    log::warning("the host could not be announced",
                 {{"address", settings_.address}, {"error", why.message()}});
  }

  const RegistrationSettings settings_;
  const std::string cluster_;
  const HostRecord record_;
  Reactor& reactor_;
  RedisConnectionPtr redis_;
  std::unique_ptr<Discovery> discovery_;
  std::optional<HostAnnouncement> announcement_;  // once it takes jobs
  std::optional<HostRecord> refusal_;             // once it is known to take none
  std::function<void()> refused_;
  Reactor::TimerId timer_ = 0;
  Reactor::TimerId limit_ = 0;
};

}  // namespace

Result<RegistrationSettings> registrationSettings(const WorkerOptions& options) {
  RegistrationSettings settings;
  settings.discovery = options.discovery;
  settings.address = options.advertise;
  if (settings.address.empty()) {
    FLO_TRY_ASSIGN(settings.address, defaultAddress(options));
  }
  if (settings.address.empty() && !settings.discovery.empty()) {
    return invalid("missing mandatory --advertise flag");
  }
  if (!settings.address.empty() && !checkEntry(settings.address)) {
    return invalid("--advertise should be of the form ip:port or hostname:port");
  }
  FLO_TRY_ASSIGN(const auto heartbeat, config::parseDuration(options.heartbeat));
  FLO_TRY_ASSIGN(const auto ttl, config::parseDuration(options.ttl));
  if (heartbeat < std::chrono::seconds(1)) {
    return invalid("--heartbeat should be at least one second");
  }
  if (ttl <= heartbeat) {
    return invalid("--ttl must be strictly superior to the heartbeat value");
  }
  settings.heartbeat = std::chrono::duration_cast<std::chrono::seconds>(heartbeat);
  settings.ttl = std::chrono::duration_cast<std::chrono::seconds>(ttl);
  return settings;
}

Result<std::unique_ptr<HostRegistration>> HostRegistration::create(const WorkerOptions& options,
                                                                   const RedisTarget& redis,
                                                                   const std::string& engine_id,
                                                                   const std::string& name,
                                                                   Reactor& reactor) {
  FLO_TRY_ASSIGN(auto settings, registrationSettings(options));
  if (settings.address.empty()) {
    return std::unique_ptr<HostRegistration>();
  }
  auto made = std::make_unique<Registration>(std::move(settings), options.queue.cluster,
                                             HostRecord{engine_id, name, ""}, reactor);
  FLO_TRY(made->open(options, redis));
  return std::unique_ptr<HostRegistration>(std::move(made));
}

}  // namespace flotilla::engine
