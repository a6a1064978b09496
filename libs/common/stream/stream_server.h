#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/net/stream.h"

namespace flotilla {

/// The worker's stream port: a listener (unix socket in a 0750 directory) on which gateways present
/// tickets. A ticket is 128 random bits, bound to one expectation, compared in constant time,
/// consumed by its first use and void after 10 s. expect() from any thread; `accepted` runs on the
/// reactor's thread, with the stream, or with DeadlineExceeded when nobody came in time.
class StreamServer {
 public:
  /// Destroy it on the reactor's thread or after the reactor stopped; callbacks that are still
  /// expected are dropped then.
  static Result<std::unique_ptr<StreamServer>> listenUnix(
      Reactor& reactor, const std::string& path,
      std::chrono::milliseconds ticket_lifetime = std::chrono::seconds(10));
  virtual ~StreamServer() = default;

  virtual StreamEndpoint expect(std::function<void(Result<net::StreamPtr>)> accepted) = 0;
  /// As above, but hands out the raw connected descriptor (blocking mode) for handlers that move
  /// bulk bytes on a thread of the work pool (load, save); it is the callee's to close.
  virtual StreamEndpoint expectFd(std::function<void(Result<int>)> accepted) = 0;
};

}  // namespace flotilla
