#pragma once

#include <CLI/App.hpp>
#include <string>

#include "common/process/service_sockets.h"

namespace flotilla::process {

/// What a small service listens with: -H (also from `environment`), --tlscacert, --tlscert,
/// --tlskey and --insecure-tcp.
void declareListen(CLI::App& app, ServiceListen& listen, const std::string& environment);

}  // namespace flotilla::process
