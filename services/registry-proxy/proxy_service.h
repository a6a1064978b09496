#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/event/reactor.h"
#include "common/metrics/metrics.h"
#include "common/net/tls_context.h"
#include "common/os/unique_fd.h"

namespace flotilla::registry {

struct ProxyOptions {
  std::string cache_folder = ".";
  std::uint64_t cache_size = 0;            // bytes; 0 keeps nothing
  std::vector<std::string> mirrors = {};   // of Docker Hub
  std::vector<std::string> insecure = {};  // registries without TLS or with any certificate
  std::vector<std::string> certificate_folders = {"/etc/flotilla/certs.d", "/etc/docker/certs.d"};
  std::chrono::seconds idle_exit{0};  // ends when unused for so long; 0: never
};

/// The registry proxy: the hosts' only way to registries elsewhere. Runs without privileges.
class ProxyService {
 public:
  /// Opens the cache. `reactor` and `metrics` outlive the service. Errors: Internal.
  static Result<std::unique_ptr<ProxyService>> create(ProxyOptions options, Reactor& reactor,
                                                      Metrics& metrics);
  virtual ~ProxyService() = default;

  /// Serves a listening socket. On the reactor's thread or before it runs.
  virtual Result<void> serve(UniqueFd listener, net::TlsContextPtr tls) = 0;
  /// `unused` runs when idle_exit is reached.
  virtual void onUnused(std::function<void()> unused) = 0;
  /// Running responses get a moment; then `done`.
  virtual void stop(std::function<void()> done) = 0;
};

}  // namespace flotilla::registry
