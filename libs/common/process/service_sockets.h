#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/net/tls_context.h"
#include "common/os/unique_fd.h"

namespace flotilla::process {

/// Where a small service listens, as its command line says.
struct ServiceListen {
  std::vector<std::string> hosts;  // unix://path, tcp://host:port, fd://name
  int inherited_fd = -1;           // a listening socket that the parent passed
  std::uint16_t default_port = 0;
  std::string tls_cert, tls_key;  // for tcp
  std::string tls_ca_cert;        // clients need a certificate of it
  bool insecure_tcp = false;      // tcp without TLS where other hosts reach it
};

struct ServiceSocket {
  UniqueFd fd;
  net::TlsContextPtr tls;  // null: plain
};

/// Binds all, while there may still be privileges for it. Errors: InvalidArgument (nothing to
/// listen on, bad files, plain tcp that others reach), those of listening.
Result<std::vector<ServiceSocket>> bindServiceSockets(const ServiceListen& listen);

}  // namespace flotilla::process
