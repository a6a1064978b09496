#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/metrics/metrics.h"
#include "common/net/tls_context.h"
#include "common/os/unique_fd.h"

namespace flotilla::discovery {

/// The discovery service: hosts tell it who they are, gateways ask it.
class DiscoveryService {
 public:
  struct Options {
    std::string folder = ".";  // of its state
  };

  /// Reads the state. `reactor` and `metrics` outlive the service. Errors: Internal.
  static Result<std::unique_ptr<DiscoveryService>> create(const Options& options, Reactor& reactor,
                                                          Metrics& metrics);
  virtual ~DiscoveryService() = default;

  /// Serves a listening socket. On the reactor's thread or before it runs.
  virtual Result<void> serve(UniqueFd listener, net::TlsContextPtr tls) = 0;
  /// Running answers get a moment, the state is written; then `done`.
  virtual void stop(std::function<void()> done) = 0;
};

}  // namespace flotilla::discovery
