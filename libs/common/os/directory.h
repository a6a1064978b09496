#pragma once

#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla {

/// Names of what is in a directory, in no order. In place of std::filesystem::directory_iterator in
/// a range-for, which throws when reading fails half-way. Errors: sysError (ENOENT).
Result<std::vector<std::string>> entryNames(const std::string& path);

}  // namespace flotilla
