#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// Applies Dockerfile instructions, as `docker import --change` and `docker commit --change` take
/// them, to the "config" object of an image: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL,
/// ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR.
/// Errors: InvalidArgument in Docker's words ("FOO is not a valid change command").
Result<void> applyChanges(nlohmann::json& config, const std::vector<std::string>& changes);

}  // namespace flotilla::engine
