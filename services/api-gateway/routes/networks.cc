#include <array>

#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {
namespace {

constexpr std::array kNetworkList = {Parameter{"filters"}};
constexpr std::array kNetworkInspect = {Parameter{"verbose"}, Parameter{"scope"}};

constexpr std::array kNetworkRoutes = {
    Route{"GET", "/networks", "network_list", answerQuery, kNetworkList},
    Route{"GET", "/networks/{id:.*}", "network_inspect", answerQuery, kNetworkInspect},
};

}  // namespace

std::span<const Route> networkRoutes() { return kNetworkRoutes; }

}  // namespace flotilla::gateway
