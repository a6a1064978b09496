#pragma once

#include <nlohmann/json.hpp>

#include "engine/runtime/oci_spec.h"

namespace flotilla::engine {

/// The `mounts` of config.json: Docker's own, then init, the request's and the network files.
nlohmann::json ociMounts(const SpecInput& input);

/// linux.rootfsPropagation that the binds need, "" when none.
std::string rootPropagation(const std::vector<SpecMount>& mounts);

}  // namespace flotilla::engine
