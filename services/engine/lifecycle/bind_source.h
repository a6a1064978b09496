#pragma once

#include <string>

#include "common/error/result.h"
#include "common/os/unique_fd.h"

namespace flotilla::engine {

struct OpenedSource {
  UniqueFd tree;  // a detached copy of the mount tree at the path
  bool is_directory = true;
};

enum class MissingSource { Refuse, MakeDirectory };

/// Opens a bind mount's source in this mount namespace, links followed once (decisions.md 17), with
/// all mounts below it. Errors: InvalidArgument in Docker's words when it is missing or odd.
Result<OpenedSource> openBindSource(const std::string& path, MissingSource missing);

}  // namespace flotilla::engine
