#include <array>

#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {
namespace {

constexpr std::array kList = {Parameter{"filters"}};
constexpr std::array kInspect = {Parameter{"verbose"}, Parameter{"scope"}};

constexpr std::array kRoutes = {
    Route{"GET", "/networks", "network_list", answerQuery, kList},
    Route{"GET", "/networks/{id:.*}", "network_inspect", answerQuery, kInspect},
};

}  // namespace

std::span<const Route> networkRoutes() { return kRoutes; }

}  // namespace flotilla::gateway
