#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/error/result.h"

namespace flotilla::model {

/// Parses a request's body. Errors: InvalidArgument with what dockerd says of the same text:
/// "invalid JSON: unexpected EOF", "unexpected content after JSON"... Never throws.
Result<nlohmann::json> parseBody(const std::string& body);

}  // namespace flotilla::model
