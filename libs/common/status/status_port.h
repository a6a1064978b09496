#pragma once

#include <functional>
#include <memory>

#include "common/event/reactor.h"
#include "common/metrics/metrics.h"
#include "common/net/address.h"
#include "common/net/tls_context.h"

namespace flotilla {

/// GET /metrics and GET /healthz of a service that has no other HTTP port. On the reactor's thread
/// or before it runs.
class StatusPort {
 public:
  struct Options {
    net::Address address;
    net::TlsContextPtr tls = nullptr;  // for tcp
    std::function<Result<void>()>
        health;  // answers /healthz: 200, or 503 with the error; on the reactor's thread
  };

  /// Errors: those of net::listenOn.
  static Result<std::unique_ptr<StatusPort>> listen(Reactor& reactor, const Metrics& metrics,
                                                    Options options);
  virtual ~StatusPort() = default;
};

}  // namespace flotilla
