#include "common/process/service_options.h"

#include <CLI/CLI.hpp>

namespace flotilla::process {

void declareListen(CLI::App& app, ServiceListen& listen, const std::string& environment) {
  app.add_option("-H,--host,--hosts", listen.hosts,
                 "Socket(s) to listen on: unix://, tcp://, fd://")
      ->envname(environment)
      ->delimiter(',');
  app.add_option("--tlscacert", listen.tls_ca_cert, "Clients need a certificate of this CA");
  app.add_option("--tlscert", listen.tls_cert, "Certificate of tcp listeners");
  app.add_option("--tlskey", listen.tls_key, "Its key");
  app.add_flag("--insecure-tcp", listen.insecure_tcp,
               "Allow tcp without TLS on addresses other hosts reach");
}

}  // namespace flotilla::process
