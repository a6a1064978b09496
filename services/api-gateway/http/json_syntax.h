#pragma once

#include <string_view>

#include "common/error/result.h"

namespace flotilla::gateway {

enum class JsonType { Null, Bool, Number, String, Array, Object };

/// Checks that `text` is one JSON document, without building it, and says what it is. Deeper
/// nesting than common/json allows is refused.
/// Errors: InvalidArgument in the words dockerd uses for a request body ("invalid JSON: ...").
Result<JsonType> checkJson(std::string_view text);

/// dockerd's message for a body that is JSON, but not an object: `go_type` is the name its clients
/// know the request by, e.g. "container.CreateRequest".
Error wrongJsonType(JsonType type, std::string_view go_type);

}  // namespace flotilla::gateway
