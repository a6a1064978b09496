#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/discovery/token_client.h"
#include "common/error/result.h"
#include "common/event/reactor.h"

namespace flotilla {

/// Where engines of a cluster are found: "host:port" entries in the order of the source.
using DiscoveryEntries = std::vector<std::string>;

/// One discovery source (docs: Docker Swarm classic's URL forms). Thread rules as Reactor: call on
/// its thread or before run(); callbacks come there.
class Discovery {
 public:
  /// Ends the watch when destroyed.
  class Watch {
   public:
    virtual ~Watch() = default;
  };

  virtual ~Discovery() = default;

  /// Calls `changed` with the whole list at once, and again whenever it differs in order or
  /// content; with an error whenever the source cannot be read (it goes on trying every heartbeat).
  virtual std::unique_ptr<Watch> watch(std::function<void(Result<DiscoveryEntries>)> changed) = 0;

  /// Announces `entry` for `ttl`. Errors: NotImplemented for static sources. A source that is far
  /// away is told later; DiscoveryOptions::announce_failed hears when that fails.
  virtual Result<void> announce(const std::string& entry, std::chrono::seconds ttl) = 0;
};

struct DiscoveryOptions {
  std::chrono::milliseconds heartbeat = std::chrono::seconds(60);  // poll period
  TokenOptions token = {};                                         // for token://
  std::string cluster = "default";                                 // for redis://: its name there
  std::function<void(const Error&)> announce_failed = {};          // on the reactor's thread
};

/// `url`: "nodes://a:1,b:[2:4]...", the same without a scheme, "file://path", "memory://",
/// "token://host/base/TOKEN" (HTTPS), "token+http://..." (plain), "redis://...", "rediss://...",
/// "unix:///redis.sock" (RedisUrl). The source outlives its watches. Errors: InvalidArgument
/// "discovery service not supported: <scheme>" and bad entries by name.
Result<std::unique_ptr<Discovery>> makeDiscovery(std::string_view url, Reactor& reactor,
                                                 const DiscoveryOptions& options);

/// Expands the first "[first:last]" range of decimal numbers, inclusive; other text is kept as it
/// is ("[::1]:2375" survives). At most 65,536 entries: more is InvalidArgument.
Result<DiscoveryEntries> expandPattern(std::string_view pattern);

/// Checks "host:port" (IPv6 in brackets, port 1..65535). Errors: InvalidArgument naming the entry.
Result<void> checkEntry(std::string_view entry);

}  // namespace flotilla
