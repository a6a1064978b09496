#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/shim/root_files.h"
#include "engine/shim/start_failure.h"

namespace flotilla::engine::shim {

struct ProgramQuery {
  std::string program;  // args[0]
  std::string path;     // PATH of the process
  std::string cwd;
  std::vector<std::string> opaque;  // places whose content the root does not show (mounts to come)
};

struct ProgramAnswer {
  std::optional<std::string> cause;  // why it cannot be started, in Docker's words
  /// The kernel will refuse the file (no format it knows, or no interpreter): the runtime reports
  /// that only after the start, in the container's own output.
  bool exec_will_fail = false;
};

/// Looks the program up as the process will, inside `root`. When an opaque place could hold it, the
/// answer is left to the runtime: no cause.
ProgramAnswer lookUpProgram(const RootFiles& root, const ProgramQuery& query);

}  // namespace flotilla::engine::shim
