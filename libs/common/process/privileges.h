#pragma once

#include <sys/types.h>

#include <string>

#include "common/error/result.h"

namespace flotilla::process {

/// Makes `folder` if need be, hands it to `user`, enters it and becomes that user for good, without
/// capabilities and without ways to get any. Not as root: only makes and enters the folder. Single
/// thread, before anything from the network is read. Errors: Internal, NotFound (the user).
Result<void> enterAsUser(const std::string& folder, const std::string& user);

/// The group of that name or number. Errors: NotFound.
Result<gid_t> findGroup(const std::string& group);

}  // namespace flotilla::process
