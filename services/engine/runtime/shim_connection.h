#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

/// Connects to <run_dir>/ctl.sock (non-blocking, close-on-exec). Errors: Unavailable when no shim
/// listens there.
Result<UniqueFd> connectShim(const std::string& run_dir);

/// One request and its answer over a connection of its own. Errors: Unavailable, DeadlineExceeded,
/// or what the shim answered.
Result<nlohmann::json> callShim(const std::string& run_dir, const nlohmann::json& request,
                                std::chrono::milliseconds timeout);

/// The answer in one packet, or the error it carries.
Result<nlohmann::json> parseReply(std::string_view packet);

}  // namespace flotilla::engine
