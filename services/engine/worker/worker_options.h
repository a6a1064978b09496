#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "common/config/log_settings.h"
#include "common/error/result.h"
#include "common/queue/queue_settings.h"
#include "engine/config/engine_settings.h"

namespace flotilla::engine {

inline constexpr std::uint16_t kStreamPort = 2374;  // of --stream-listen when it names none

/// The settings of `flotilla-engine`.
struct WorkerOptions : EngineSettings {
  QueueSettings queue;
  std::string engine_id;  // "" = the one in the data root, made when there is none
  std::string bridge = "flotilla0";
  std::string table = "flotilla";
  std::string group;           // whose members reach streams, "" = root alone
  bool enter_host = false;     // work on the host, out of the container this process was started in
  std::string registry_proxy;  // "" = unix://<exec-root>/registry-proxy.sock
  int workers = 1;
  int drain_seconds = 10;
  std::string metrics_address;  // "" = no port
  // Streams for gateways on other hosts; "" = this host only.
  std::string stream_listen, stream_advertise;
  std::string tls_ca_cert, tls_cert, tls_key;
  // How gateways find this host: swarm classic's `join`.
  std::string discovery, advertise;
  std::string heartbeat = "60s", ttl = "180s";
  config::LogSettings log;
  int slot = -1;  // of a supervised worker; set by the supervisor
};

/// Nothing to run when --help, --version or --validate was answered on `out`. Errors:
/// InvalidArgument.
Result<std::optional<WorkerOptions>> parseWorkerOptions(int argc, const char* const* argv,
                                                        std::ostream& out);

}  // namespace flotilla::engine
