#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"
#include "common/model/container.h"
#include "common/model/container_validate.h"

namespace flotilla::model {

/// Body of POST /containers/{id}/update: of the HostConfig only resources and restart policy are
/// set. "" is an empty document. Errors: InvalidArgument; also for a known field that cannot be
/// changed, by name (dockerd leaves those out without a word).
Result<HostConfig> decodeUpdateRequest(const std::string& body);

/// The checks of `asked` that dockerd makes before it looks for the container; MemorySwap alone is
/// fine here. `warnings` is appended to. Errors: InvalidArgument in dockerd's words.
Result<void> validateUpdate(const HostConfig& asked, const HostFacts& facts,
                            std::vector<std::string>& warnings);

/// `current` with what `asked` sets; what is zero, empty or absent there stays. Errors: Conflict in
/// dockerd's words where the two cannot go together.
Result<HostConfig> mergeUpdate(const HostConfig& current, const HostConfig& asked);

}  // namespace flotilla::model
