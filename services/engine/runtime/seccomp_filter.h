#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/model/capabilities.h"

namespace flotilla::engine {

/// What config.json says of a container's system call filter.
struct SeccompFilter {
  nlohmann::json rules;  // the `linux.seccomp` object; null when there is no filter
  std::string program;   // the finished program for crun's annotation; "" when the runtime compiles
};

/// Who turns the rules into a program.
enum class SeccompCompiler { Runtime, Engine };

/// `rules` for a runtime. When the engine compiles and can, `rules` only says that there is a
/// filter: crun would pass them through the host's libseccomp, which may not know the newest calls.
SeccompFilter finishFilter(nlohmann::json rules, SeccompCompiler compiler);

/// The default filter of containers with these capabilities. Made once for each set of
/// capabilities: compiling takes longer than the rest of a config.json. Thread-safe.
SeccompFilter defaultFilter(model::CapabilitySet capabilities, SeccompCompiler compiler);

}  // namespace flotilla::engine
