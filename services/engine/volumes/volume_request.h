#pragma once

#include <string>
#include <string_view>

#include "common/error/result.h"
#include "engine/volumes/volume_store.h"

namespace flotilla::engine {

/// Whether dockerd's local driver would take the request. Errors in its words: InvalidArgument for
/// name and options, NotFound for a driver.
Result<void> checkVolumeRequest(const VolumeRequest& request);

/// True for names a volume may have: two or more of [a-zA-Z0-9_.-], the first a letter or digit.
bool isVolumeName(std::string_view name);

}  // namespace flotilla::engine
