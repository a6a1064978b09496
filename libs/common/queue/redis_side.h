#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>

#include "common/queue/callback_guard.h"
#include "common/queue/redis_keys.h"
#include "common/queue/redis_queue.h"

namespace flotilla {

/// What the parts of one side of RedisQueue, the gateway's or the engine's, have in common. Its
/// owner sets `commands` and `guard` up and outlives the parts.
struct RedisSide {
  RedisSide(Reactor& reactor_in, RedisQueueOptions options_in)
      : reactor(reactor_in), options(std::move(options_in)), keys(options.cluster) {}

  /// Not started yet. Named `flotilla-<role>-<id>` in Redis.
  [[nodiscard]] RedisConnectionPtr connection(const std::string& role, const std::string& id,
                                              RedisConnection::Events events) const {
    return RedisConnection::create(
        reactor, {.target = options.target, .name = "flotilla-" + role + "-" + id},
        std::move(events));
  }
  /// A command whose answer nobody waits for.
  void tell(const RedisConnection::Arguments& command) const { commands->send(command, nullptr); }
  template <class Done>
  void ask(const RedisConnection::Arguments& command, Done done) const {
    commands->send(command, guard(std::move(done)));
  }
  template <class Callback>
  Reactor::TimerId after(Reactor::Clock::duration delay, Callback callback) const {
    return reactor.runAfter(delay, guard(std::move(callback)));
  }

  Reactor& reactor;
  const RedisQueueOptions options;
  const RedisKeys keys;
  CallbackGuard guard;
  RedisConnectionPtr commands;
};

struct EngineSide : RedisSide {
  EngineSide(Reactor& reactor_in, RedisQueueOptions options_in, const JobQueue::ServeOptions& serve,
             std::string worker_in)
      : RedisSide(reactor_in, std::move(options_in)),
        engine_id(serve.engine_id),
        max_in_flight(serve.max_in_flight),
        jobs_key(keys.jobs(engine_id)),
        worker(std::move(worker_in)) {}

  const std::string engine_id;
  const std::size_t max_in_flight;
  const std::string jobs_key;
  const std::string worker;          // its name, also as a consumer of the group
  std::atomic<bool> stopped{false};  // no job is taken from now on
};

struct GatewaySide : RedisSide {
  GatewaySide(Reactor& reactor_in, RedisQueueOptions options_in, std::string gateway_id_in)
      : RedisSide(reactor_in, std::move(options_in)), gateway_id(std::move(gateway_id_in)) {}

  const std::string gateway_id;
};

}  // namespace flotilla
