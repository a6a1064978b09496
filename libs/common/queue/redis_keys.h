#pragma once

#include <string>
#include <utility>

namespace flotilla {

/// The names of everything Flotilla's job queue keeps in Redis. All of a cluster lies under
/// `flotilla:{<cluster>}:`, one hash slot.
///
///   jobs:<engine>    stream, group "workers": jobs for one host. Made by workers (XADD uses
///                    NOMKSTREAM); its lifetime of a day is renewed by them. An entry has the
///                    fields "job" (encodeJob) and "mac" (HMAC-SHA256 under the cluster's key) and
///                    leaves with XACK + XDEL when its result is in the reply list. Never trimmed.
///   reply:<gateway>  list: established and result messages, mac first (encodeReply), popped by one
///                    blocking reader a gateway. Ten minutes from the last message.
///   gw:<gateway>     string, 15 s, renewed every 5 s: the gateway lives. Waiting jobs of one that
///                    does not are dropped.
///   cancel:<job>     string, ten minutes: the job's client is gone. Read by a worker that takes a
///                    job late or again, and for all it runs after a reconnect.
///   owner:<engine>   string, 10 s, renewed every 3 s: the identity of the host whose workers read
///                    jobs:<engine>. A cloned host finds another's identity and serves nothing.
///   hosts:<address>  string, 15 s, renewed every 5 s by the engine's leader: who answers at an
///                    address of the discovery list (encodeHostRecord).
///   name:<name>      string, 10 s, renewed: the id of the container that is being made under this
///                    name, or renamed to it. Taken and given back by the gateway that does it.
///   members          sorted set, a day: hosts that announced themselves here, scored with the end
///                    of their announcement (discovery/redis_discovery.h).
///
/// Channel cancel:<engine> (PUBLISH): ids of jobs to cancel, for the workers of one engine.
class RedisKeys {
 public:
  explicit RedisKeys(const std::string& cluster) : prefix_("flotilla:{" + cluster + "}:") {}

  [[nodiscard]] std::string jobs(const std::string& engine) const {
    return prefix_ + "jobs:" + engine;
  }
  [[nodiscard]] std::string reply(const std::string& gateway) const {
    return prefix_ + "reply:" + gateway;
  }
  [[nodiscard]] std::string gateway(const std::string& gateway) const {
    return prefix_ + "gw:" + gateway;
  }
  [[nodiscard]] std::string cancelled(const std::string& job) const {
    return prefix_ + "cancel:" + job;
  }
  [[nodiscard]] std::string owner(const std::string& engine) const {
    return prefix_ + "owner:" + engine;
  }
  [[nodiscard]] std::string host(const std::string& address) const {
    return prefix_ + "hosts:" + address;
  }
  [[nodiscard]] std::string name(const std::string& name) const { return prefix_ + "name:" + name; }
  [[nodiscard]] std::string cancelChannel(const std::string& engine) const {
    return prefix_ + "cancel:" + engine;
  }

  static constexpr const char* kGroup = "workers";
  // Milliseconds, as Redis' commands take them.
  static constexpr const char* kJobsLifetime = "86400000";
  static constexpr const char* kReplyLifetime = "600000";
  static constexpr const char* kGatewayLifetime = "15000";
  static constexpr const char* kCancelLifetime = "600000";
  static constexpr const char* kOwnerLifetime = "10000";
  static constexpr const char* kHostLifetime = "15000";

 private:
  std::string prefix_;
};

}  // namespace flotilla
