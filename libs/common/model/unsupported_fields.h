#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "common/error/result.h"

namespace flotilla::model {

/// Refuses members of the API contract (v1.51 and older) that this engine does not honour, unless
/// their value is neutral: null, false, 0, "", empty lists and objects, or what the table says.
/// `scope` names the object as in the table: "Config", "HostConfig", "Mount", "Endpoint".
/// Errors: InvalidArgument naming field and value.
Result<void> refuseUnsupported(const nlohmann::json& object, std::string_view scope);

}  // namespace flotilla::model
