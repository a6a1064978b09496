#include <array>

#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {
namespace {

constexpr std::array kList = {Parameter{"filters"}};
constexpr std::array kRemove = {Parameter{"force"}};

constexpr std::array kRoutes = {
    Route{"GET", "/volumes", "volume_list", answerQuery, kList},
    Route{"POST", "/volumes/create", "volume_create", answerJson, {}, "volume.CreateOptions", 201},
    Route{"GET", "/volumes/{name:.*}", "volume_inspect", answerQuery},
    Route{"DELETE", "/volumes/{name:.*}", "volume_remove", answerQuery, kRemove, {}, 204},
};

}  // namespace

std::span<const Route> volumeRoutes() { return kRoutes; }

}  // namespace flotilla::gateway
