#include <array>

#include "api-gateway/routes/route_table.h"

namespace flotilla::gateway {
namespace {

constexpr std::array kVolumeList = {Parameter{"filters"}};
constexpr std::array kVolumeRemove = {Parameter{"force"}};

constexpr std::array kVolumeRoutes = {
    Route{"GET", "/volumes", "volume_list", answerQuery, kVolumeList},
    Route{"POST", "/volumes/create", "volume_create", answerJson, {}, "volume.CreateOptions", 201},
    Route{"GET", "/volumes/{name:.*}", "volume_inspect", answerQuery},
    Route{"DELETE", "/volumes/{name:.*}", "volume_remove", answerQuery, kVolumeRemove, {}, 204},
};

}  // namespace

std::span<const Route> volumeRoutes() { return kVolumeRoutes; }

}  // namespace flotilla::gateway
