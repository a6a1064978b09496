#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/error/result.h"
#include "common/model/capabilities.h"

namespace flotilla::engine {

/// The default system call filter of a container with these capabilities, as the `linux.seccomp`
/// object of an OCI config.json. Made from seccomp.json, which holds:
///   allow       calls every container may make
///   allow_with  calls that a capability adds
///   allow_if    calls allowed by an argument: equals (any of), differs, lacks (these bits)
///   missing     calls that answer ENOSYS, so that C libraries fall back
/// Everything else answers EPERM.
nlohmann::json defaultSeccomp(model::CapabilitySet capabilities);

/// The same from a profile of the user's own, in Docker's profile format (names, includes.caps,
/// excludes.caps, archMap). Errors: InvalidArgument "Decoding seccomp profile failed: ...".
Result<nlohmann::json> customSeccomp(const std::string& profile, model::CapabilitySet capabilities);

}  // namespace flotilla::engine
