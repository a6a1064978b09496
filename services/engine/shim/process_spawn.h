#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/error/result.h"
#include "engine/shim/cgroup.h"

namespace flotilla::engine::shim {

/// The process's descriptors 0, 1, 2.
struct StdioFds {
  int in = -1;
  int out = -1;
  int err = -1;
};

struct SpawnRequest {
  std::vector<std::string> arguments;  // the first is the program's path
  std::vector<std::string> environment;
  StdioFds stdio;
  int program = -1;                          // executed instead of the path, when given
  std::vector<int> inherit;                  // more descriptors that survive, under their numbers
  const CgroupEntrance* entrance = nullptr;  // where the process is born
};

/// Starts a program with no signal blocked and waits until it runs. Errors: Internal when it cannot
/// be executed or may not enter the cgroup; nothing is left of the child then.
Result<pid_t> spawn(const SpawnRequest& request);

}  // namespace flotilla::engine::shim
