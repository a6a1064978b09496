#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api-gateway/api_handler.h"
#include "api-gateway/listeners/bound_listener.h"
#include "common/error/result.h"
#include "common/event/reactor.h"
#include "common/metrics/metrics.h"

namespace flotilla::gateway {

struct TlsFiles {
  std::string cert, key;
  std::string ca;  // clients must present a certificate it signed; "" lets anyone in
};

struct GatewayOptions {
  std::vector<std::string> hosts;  // values of -H
  BindOptions bind = {};           // bind.tls: tcp listeners speak TLS with `tls`
  TlsFiles tls = {};
  ApiHandler::Options api = {};
  bool access_log = false;  // every request at level info; failures are logged anyway
  std::chrono::milliseconds drain{std::chrono::seconds(10)};
};

/// The Docker API edge: listeners, connections, requests, jobs. Holds no container state. Made
/// before the reactor runs; afterwards on its thread.
class GatewayService {
 public:
  /// Errors: InvalidArgument (TLS files).
  static Result<std::unique_ptr<GatewayService>> create(GatewayOptions options, Reactor& reactor,
                                                        EngineClient& cluster, Metrics& metrics);
  virtual ~GatewayService() = default;

  /// Binds every listener and begins to accept; requests wait behind the gate. All or none: the
  /// first that cannot be bound is the error. One that breaks later calls `on_failure`.
  virtual Result<void> listen(std::function<void(Error)> on_failure) = 0;
  /// What this process owns is ready: the gate opens.
  virtual void open() = 0;
  /// Stops accepting, gives running requests until options.drain, then ends every connection (which
  /// cancels their jobs), removes the sockets and calls `done`. May be called again.
  virtual void stop(std::function<void()> done) = 0;

  [[nodiscard]] virtual ApiHandler& handler() = 0;
};

}  // namespace flotilla::gateway
