#include "api-gateway/config/gateway_settings.h"

#include <CLI/CLI.hpp>

namespace flotilla::gateway {

void declareGateway(CLI::App& app, GatewaySettings& settings) {
  app.add_option("-H,--host,--hosts", settings.hosts, "Daemon socket(s) to listen on")
      ->envname("FLOTILLA_HOSTS")
      ->delimiter(',');
  app.add_option("-G,--group", settings.group, "Group for the unix socket")
      ->envname("FLOTILLA_GROUP");
  app.add_option("-p,--pidfile", settings.pid_file, "Path to use for daemon PID file");
  app.add_flag("--tls", settings.tls, "Use TLS; implied by --tlsverify");
  app.add_flag("--tlsverify", settings.tls_verify, "Use TLS and verify the remote")
      ->envname("FLOTILLA_TLS_VERIFY");
  app.add_option("--tlscacert", settings.tls_ca_cert, "Trust certs signed only by this CA");
  app.add_option("--tlscert", settings.tls_cert, "Path to TLS certificate file");
  app.add_option("--tlskey", settings.tls_key, "Path to TLS key file");
  app.add_option("--api-cors-header", settings.api_cors_header,
                 "Set CORS headers in the Engine API; the origin that may use plain tcp");
  app.add_flag("--insecure-tcp", settings.insecure_tcp,
               "Allow tcp without TLS on addresses other hosts reach");
  app.add_flag("--access-log", settings.access_log, "Log every request");
  app.add_option("--shutdown-timeout", settings.shutdown_timeout,
                 "Seconds running requests have to finish")
      ->check(CLI::Range(0, 3600));
}

Result<void> finishGateway(GatewaySettings& settings) {
  if (settings.hosts.empty()) {
    settings.hosts = {kDefaultSocket};
  }
  settings.tls = settings.tls || settings.tls_verify;
  if (settings.tls && (settings.tls_cert.empty() || settings.tls_key.empty())) {
    return Error{ErrorKind::InvalidArgument, "tls needs --tlscert and --tlskey"};
  }
  if (settings.tls_verify && settings.tls_ca_cert.empty()) {
    return Error{ErrorKind::InvalidArgument, "tlsverify needs --tlscacert"};
  }
  return {};
}

GatewayOptions gatewayOptions(const GatewaySettings& settings) {
  GatewayOptions result;
  result.hosts = settings.hosts;
  result.bind = {
      .group = settings.group, .tls = settings.tls, .insecure_tcp = settings.insecure_tcp};
  result.tls = {.cert = settings.tls_cert,
                .key = settings.tls_key,
                .ca = settings.tls_verify ? settings.tls_ca_cert : ""};
  result.api.cors_origin = settings.api_cors_header;
  result.access_log = settings.access_log;
  result.drain = std::chrono::seconds(settings.shutdown_timeout);
  return result;
}

}  // namespace flotilla::gateway
