#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "common/event/reactor.h"
#include "common/job/job.h"
#include "common/net/address.h"
#include "common/net/tls_context.h"

namespace flotilla {

/// Makes the streams of this host reachable from others: a TCP port with mutual TLS on which a
/// gateway presents a one-time ticket and is relayed to the stream's own endpoint here (a worker's
/// or a shim's unix socket). A ticket is void after its first use and after 10 s.
class StreamExporter {
 public:
  struct Options {
    net::Address listen;         // tcp; port 0: the kernel's choice
    std::string advertise = {};  // IP literal that gateways connect to, "" = listen.host
    net::TlsContextPtr tls;      // server context that requires certificates of the cluster
    std::chrono::milliseconds ticket_lifetime = std::chrono::seconds(10);
  };

  /// On the reactor's thread or before it runs; so is destruction, which ends what it relays only
  /// as far as tickets and visitors go: relays under way go on.
  /// Errors: InvalidArgument (a context that lets anyone in), those of net::listenOn.
  static Result<std::unique_ptr<StreamExporter>> listen(Reactor& reactor, const Options& options);
  virtual ~StreamExporter() = default;

  /// An endpoint that stands for `local` on other hosts. From any thread.
  virtual StreamEndpoint publish(const StreamEndpoint& local) = 0;
  /// "host:port" as gateways reach it.
  [[nodiscard]] virtual std::string address() const = 0;
};

}  // namespace flotilla
