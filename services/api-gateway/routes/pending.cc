#include <array>

#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {
namespace {

/// There are no plugins: none of any name is found, which `docker inspect` relies on.
void answerNoPlugin(const Call& call) {
  refuse(call, Error{ErrorKind::NotFound, "plugin \"" + call.holes.at(0) + "\" not found"});
}

constexpr Route pending(std::string_view method, std::string_view pattern) {
  return {method, pattern, "", answerNotImplemented};
}

// The endpoints of API v1.51 (docker-engine-api-v1.51.yaml) that have no job yet.
constexpr std::array kPendingRoutes = {
    pending("GET", "/containers/{name:.*}/changes"),
    pending("GET", "/containers/{name:.*}/export"),
    pending("GET", "/containers/{name:.*}/attach/ws"),
    pending("HEAD", "/containers/{name:.*}/archive"),
    pending("GET", "/containers/{name:.*}/archive"),
    pending("PUT", "/containers/{name:.*}/archive"),
    pending("POST", "/containers/prune"),
    pending("POST", "/build"),
    pending("POST", "/build/prune"),
    pending("POST", "/build/cancel"),
    pending("POST", "/images/{name:.*}/push"),
    pending("GET", "/images/search"),
    pending("POST", "/images/prune"),
    pending("POST", "/auth"),
    pending("POST", "/commit"),
    pending("GET", "/system/df"),
    pending("PUT", "/volumes/{name:.*}"),
    pending("POST", "/volumes/prune"),
    pending("DELETE", "/networks/{id:.*}"),
    pending("POST", "/networks/create"),
    pending("POST", "/networks/{id:.*}/connect"),
    pending("POST", "/networks/{id:.*}/disconnect"),
    pending("POST", "/networks/prune"),
    pending("GET", "/plugins"),
    pending("GET", "/plugins/privileges"),
    pending("POST", "/plugins/pull"),
    Route{"GET", "/plugins/{name:.*}/json", "", answerNoPlugin},
    pending("DELETE", "/plugins/{name:.*}"),
    pending("POST", "/plugins/{name:.*}/enable"),
    pending("POST", "/plugins/{name:.*}/disable"),
    pending("POST", "/plugins/{name:.*}/upgrade"),
    pending("POST", "/plugins/create"),
    pending("POST", "/plugins/{name:.*}/push"),
    pending("POST", "/plugins/{name:.*}/set"),
    pending("GET", "/nodes"),
    pending("GET", "/nodes/{id}"),
    pending("DELETE", "/nodes/{id}"),
    pending("POST", "/nodes/{id}/update"),
    pending("GET", "/swarm"),
    pending("POST", "/swarm/init"),
    pending("POST", "/swarm/join"),
    pending("POST", "/swarm/leave"),
    pending("POST", "/swarm/update"),
    pending("GET", "/swarm/unlockkey"),
    pending("POST", "/swarm/unlock"),
    pending("GET", "/services"),
    pending("POST", "/services/create"),
    pending("GET", "/services/{id}"),
    pending("DELETE", "/services/{id}"),
    pending("POST", "/services/{id}/update"),
    pending("GET", "/services/{id}/logs"),
    pending("GET", "/tasks"),
    pending("GET", "/tasks/{id}"),
    pending("GET", "/tasks/{id}/logs"),
    pending("GET", "/secrets"),
    pending("POST", "/secrets/create"),
    pending("GET", "/secrets/{id}"),
    pending("DELETE", "/secrets/{id}"),
    pending("POST", "/secrets/{id}/update"),
    pending("GET", "/configs"),
    pending("POST", "/configs/create"),
    pending("GET", "/configs/{id}"),
    pending("DELETE", "/configs/{id}"),
    pending("POST", "/configs/{id}/update"),
    pending("GET", "/distribution/{name:.*}/json"),
    pending("POST", "/session"),
    pending("POST", "/grpc"),
};

}  // namespace

std::span<const Route> pendingRoutes() { return kPendingRoutes; }

}  // namespace flotilla::gateway
