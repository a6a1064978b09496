#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/redis/redis_connection.h"
#include "engine/worker/worker_options.h"

namespace flotilla::engine {

/// Where this host is found: what its options say, checked. Nothing to announce when `address` is
/// "".
struct RegistrationSettings {
  std::string address;    // "host:port": of the host in discovery, and its key in the directory
  std::string discovery;  // URL, "" = hosts are listed by hand
  std::chrono::seconds heartbeat{0}, ttl{0};
};
/// Errors: InvalidArgument in swarm classic's words.
Result<RegistrationSettings> registrationSettings(const WorkerOptions& options);

/// The duty of a host's leader: says in the directory which engine answers at the host's address,
/// and at the discovery service that the host is there. On the reactor's thread.
class HostRegistration {
 public:
  /// `redis` is the job queue's. Errors: InvalidArgument (discovery URL).
  static Result<std::unique_ptr<HostRegistration>> create(const WorkerOptions& options,
                                                          const RedisTarget& redis,
                                                          const std::string& engine_id,
                                                          const std::string& name,
                                                          Reactor& reactor);
  virtual ~HostRegistration() = default;

  /// The engine takes jobs: tells so, again and again, until destroyed. Idempotent.
  virtual void begin() = 0;
  /// It takes none, and says why for a while, unless another engine is announced at the address.
  /// `done` runs when that is told, or cannot be within a second.
  virtual void refuse(const std::string& why, std::function<void()> done) = 0;
};

}  // namespace flotilla::engine
