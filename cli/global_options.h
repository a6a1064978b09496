#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "cli/client/endpoint.h"

namespace flotilla::cli {

/// -H and the TLS flags, as docker has them.
struct GlobalOptions {
  std::string host{};
  bool tls = false;
  bool tls_verify = false;
  std::string ca_cert{};
  std::string cert{};
  std::string key{};
};

void addGlobalOptions(CLI::App& app, GlobalOptions& options);

/// Looks a variable of the environment up.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// The daemon to talk to: -H over DOCKER_HOST over the default socket; certificates from
/// --tlscacert..., else from DOCKER_CERT_PATH or ~/.docker when TLS is asked for.
/// Errors: InvalidArgument.
Result<Endpoint> chooseEndpoint(const GlobalOptions& options, const Environment& environment);

}  // namespace flotilla::cli
