#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {

std::vector<const Route*> allRoutes() {
  std::vector<const Route*> all;
  // Rows with fixed last segments ("/images/json") come before the ones whose hole would swallow
  // them ("/images/{name:.*}").
  for (const auto rows : {systemRoutes(), containerRoutes(), execRoutes(), pendingRoutes(),
                          imageRoutes(), networkRoutes(), volumeRoutes()}) {
    for (const Route& route : rows) {
      all.push_back(&route);
    }
  }
  return all;
}

}  // namespace flotilla::gateway
