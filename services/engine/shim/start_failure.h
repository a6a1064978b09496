#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error/error.h"
#include "engine/shim/protocol.h"

namespace flotilla::engine::shim {

/// Why a process did not start: Docker's words and the exit code Docker records for it.
struct StartFailure {
  Error error;
  int code = 128;  // 126 cannot be invoked, 127 not found, 128 anything else
};

enum class Verb { Run, Exec };

/// `cause` with the words dockerd 28.5 puts before it and, from the cause, kind and code
/// (moby's rules: not found and ENOTDIR 127, EACCES and EISDIR 126, all InvalidArgument).
StartFailure startFailure(Verb verb, const std::string& cause);

/// A failure of the engine's own making (user lookup, mounts): no runtime prefix, code 128.
StartFailure plainFailure(Error error);

/// The failure behind the runtime's own log (JSON lines as crun and runc write them); `program` is
/// args[0].
StartFailure fromRuntimeLog(Verb verb, std::string_view log, const std::string& program);

/// A failed mount names the host's path instead of the shim's own place of the bind source.
StartFailure withBindSources(StartFailure failure, const std::vector<BindMount>& binds);

/// The message of the last error in the runtime's log, "" when there is none.
std::string lastRuntimeError(std::string_view log);

/// Rewords what crun leaves in the container's own stderr when execve fails after the start
/// ("exec /x: exec format error\n", as runc writes it). Empty when `output` is something else.
std::string rewordExecError(std::string_view output, const std::string& program);

}  // namespace flotilla::engine::shim
