#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/event/reactor.h"
#include "common/net/tls_context.h"
#include "common/redis/redis_reply.h"
#include "common/redis/redis_url.h"

namespace flotilla {

/// How to reach and log in to a server, with files read and checked.
struct RedisTarget {
  RedisUrl url;
  net::TlsContextPtr tls;

  /// Reads password and TLS files. Errors: InvalidArgument naming URL part or file.
  static Result<RedisTarget> create(std::string_view url);
};

/// One connection to a Redis server: commands are pipelined and complete in order on the reactor's
/// thread. When it breaks it is made again, with exponential back-off and jitter, until close().
/// Everything on the reactor's thread (or before it runs). RESP2, Redis 7 or later.
class RedisConnection {
 public:
  struct Options {
    RedisTarget target;
    std::string name;  // as CLIENT LIST shows it
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::milliseconds reply_timeout{5'000};  // a server that is silent for longer is away
    std::chrono::milliseconds backoff_first{20};
    std::chrono::milliseconds backoff_last{3'000};
  };

  struct Events {
    std::function<void()> on_ready = {};  // logged in; also after every reconnect
    /// Broken, or an attempt failed; commands that waited for a reply have been told before. The
    /// error is Unavailable or PermissionDenied and names the server.
    std::function<void(const Error&)> on_lost = {};
    /// Set: the connection is for SUBSCRIBE, and every reply comes here instead.
    std::function<void(RedisReply)> on_push = {};
  };

  /// An error reply of the server comes as redisError(); a connection that broke, or is not ready,
  /// as Unavailable naming the server: the command may or may not have been executed then.
  using Done = std::function<void(Result<RedisReply>)>;
  using Arguments = std::vector<std::string_view>;

  /// Does nothing until start().
  static std::shared_ptr<RedisConnection> create(Reactor& reactor, Options options, Events events);
  virtual ~RedisConnection() = default;

  virtual void start() = 0;
  /// Ends for good: no callback follows, commands that wait are dropped.
  virtual void close() = 0;
  [[nodiscard]] virtual bool ready() const = 0;
  /// Why it is not ready.
  [[nodiscard]] virtual const Error& lastError() const = 0;

  /// Queues a command; what is queued in one round of the reactor leaves in one write. `done` may
  /// be empty. Arguments are copied. `timeout` zero means Options::reply_timeout.
  virtual void send(const Arguments& arguments, Done done,
                    std::chrono::milliseconds timeout = std::chrono::milliseconds::zero()) = 0;
};

using RedisConnectionPtr = std::shared_ptr<RedisConnection>;

}  // namespace flotilla
