#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/shim/root_files.h"
#include "engine/shim/start_failure.h"

namespace flotilla::engine::shim {

/// The parts of an OCI process object that the shim looks at.
struct ProcessPlan {
  std::string program;
  bool exec_will_fail = false;  // see ProgramAnswer
};

/// Completes `process` (user and groups from the root's files) and checks that its program can be
/// started. `user` and `group_add` as in protocol.h; a missing `user` leaves uid and gid alone.
/// `opaque`: see ProgramQuery.
std::optional<StartFailure> completeProcess(Verb verb, const RootFiles& root,
                                            nlohmann::json& process,
                                            const std::optional<std::string>& user,
                                            const std::vector<std::string>& group_add,
                                            const std::vector<std::string>& opaque,
                                            ProcessPlan& plan);

/// Reads <bundle>/config.json, completes its process, makes the working directory in `root`, and
/// writes the file again when anything changed. Only the members needed are parsed.
std::optional<StartFailure> completeBundle(const std::string& bundle, const RootFiles& root,
                                           ProcessPlan& plan);

/// Patches linux.resources of <bundle>/config.json (RFC 7396: null removes), for the next start.
/// Errors: Internal.
Result<void> mergeResources(const std::string& bundle, const nlohmann::json& resources);

/// Takes annotation `name` out of the config.json at `path`. Errors: Internal.
Result<void> dropAnnotation(const std::string& path, const std::string& name);

/// Reads `path`, an OCI process object with the members of protocol.h, and completes it for a
/// container whose root is `root`: `completed` is its text then.
std::optional<StartFailure> completeExec(const std::string& path, const RootFiles& root,
                                         std::string& completed, ProcessPlan& plan);

/// The top-level members of a JSON object, by position, without parsing their values.
struct Member {
  std::string_view key;  // as written, without quotes
  std::string_view value;
};
std::optional<std::vector<Member>> topLevelMembers(std::string_view object);

}  // namespace flotilla::engine::shim
