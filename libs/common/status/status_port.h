#pragma once

#include <functional>
#include <memory>

#include "common/event/reactor.h"
#include "common/metrics/metrics.h"
#include "common/net/address.h"

namespace flotilla {

/// GET /metrics and GET /healthz of a service that has no other HTTP port. On the reactor's thread
/// or before it runs.
class StatusPort {
 public:
  /// `health` answers /healthz: 200, or 503 with the error. It runs on the reactor's thread.
  /// Errors: those of net::listenOn.
  static Result<std::unique_ptr<StatusPort>> listen(Reactor& reactor, const net::Address& address,
                                                    const Metrics& metrics, std::function<Result<void>()> health);
  virtual ~StatusPort() = default;
};

}  // namespace flotilla
