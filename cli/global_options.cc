#include "cli/global_options.h"

namespace flotilla::cli {
namespace {

constexpr const char* kDefaultHost = "unix:///run/flotilla/flotilla.sock";

}  // namespace

void addGlobalOptions(CLI::App& app, GlobalOptions& options) {
  app.add_option("-H,--host", options.host,
                 "Daemon socket to connect to (default " + std::string(kDefaultHost) + ")");
  app.add_flag("--tls", options.tls, "Use TLS; implied by --tlsverify");
  app.add_flag("--tlsverify", options.tls_verify, "Use TLS and verify the remote");
  app.add_option("--tlscacert", options.ca_cert, "Trust certs signed only by this CA");
  app.add_option("--tlscert", options.cert, "Path to TLS certificate file");
  app.add_option("--tlskey", options.key, "Path to TLS key file");
}

Result<Endpoint> chooseEndpoint(const GlobalOptions& options, const Environment& environment) {
  const bool verify = options.tls_verify || !environment("DOCKER_TLS_VERIFY").value_or("").empty();
  TlsOptions tls;
  tls.enabled = verify || options.tls || !environment("DOCKER_TLS").value_or("").empty();
  tls.verify = verify;
  if (tls.enabled) {
    const auto folder =
        environment("DOCKER_CERT_PATH").value_or(environment("HOME").value_or("") + "/.docker");
    const bool given = !options.ca_cert.empty() || !options.cert.empty() || !options.key.empty();
    tls.ca_cert = given ? options.ca_cert : folder + "/ca.pem";
    tls.cert = given ? options.cert : folder + "/cert.pem";
    tls.key = given ? options.key : folder + "/key.pem";
  }
  std::string host = options.host;
  if (host.empty()) {
    host = environment("DOCKER_HOST").value_or("");
  }
  return Endpoint::parse(host.empty() ? kDefaultHost : host, std::move(tls));
}

}  // namespace flotilla::cli
