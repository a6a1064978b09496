#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// GET /containers/{id}/top: what the host's `ps` says of `pids`. Blocks for as long as ps takes
/// (at most 10 s). Errors: InvalidArgument for arguments that hide the PID column; Internal with
/// ps's own words.
Result<std::string> processListJson(const std::vector<int>& pids, const std::string& ps_args);

/// The lines of ps's output that belong to `pids`, as the API's document.
Result<std::string> parseProcessList(std::string_view output, const std::vector<int>& pids);

}  // namespace flotilla::engine
