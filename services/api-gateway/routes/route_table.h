#pragma once

#include <span>
#include <vector>

#include "api-gateway/routes/route.h"

namespace flotilla::gateway {

std::span<const Route> containerRoutes();
std::span<const Route> execRoutes();
std::span<const Route> imageRoutes();
std::span<const Route> networkRoutes();
std::span<const Route> volumeRoutes();
std::span<const Route> systemRoutes();
/// Endpoints of the API for which no job exists yet.
std::span<const Route> pendingRoutes();

/// All of them. Where patterns overlap the earlier row wins.
std::vector<const Route*> allRoutes();

}  // namespace flotilla::gateway
