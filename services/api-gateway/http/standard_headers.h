#pragma once

#include <string>

#include "common/http/exchange.h"

namespace flotilla::gateway {

/// What every answer of a known endpoint carries, as dockerd's do: Api-Version,
/// Docker-Experimental, Ostype and Server.
void addStandardHeaders(http::Headers& headers);

/// The same as header lines, for heads of hijacked connections.
std::string standardHeaderLines();

}  // namespace flotilla::gateway
