#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"
#include "common/job/job.h"

namespace flotilla::gateway {

inline constexpr ApiVersion kNewestApiVersion{1, 51};
inline constexpr ApiVersion kOldestApiVersion{1, 24};
inline constexpr std::string_view kNewestApiVersionText = "1.51";

/// The version a request speaks; the newest when its path names none.
/// Errors: InvalidArgument in Docker's words when too old or too new.
Result<ApiVersion> negotiateVersion(std::string_view text);

/// Docker answers clients older than 1.24 in plain text, since JSON errors came with that version.
bool isOlderThanSupported(std::string_view text);

}  // namespace flotilla::gateway
