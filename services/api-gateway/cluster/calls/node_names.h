#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api-gateway/cluster/calls/cluster_call.h"
#include "common/json/json.h"

namespace flotilla::gateway {

/// "node/name" taken apart: the host it names, or null, and the name without it.
struct NodeName {
  HostPtr host;
  std::string name;
};
NodeName splitNodeName(const Membership& membership, const std::string& reference);

/// Values of one filter in either form: {"node":["a"]} or {"node":{"a":true}}.
std::vector<std::string> filterValues(const json::Json& filter);

/// Takes the filter `node` out of the filters of a list, and those hosts out of `hosts` that it
/// does not name. Its values are names or parts of names, where `*` stands for any text, `?` for
/// one character, and `^` and `$` for the ends of the name. Errors: InvalidArgument.
Result<void> applyNodeFilter(JobEnv& env, std::vector<HostPtr>& hosts);

/// The one error of a change that several hosts refused: "node: text" lines, kind of the first.
/// Hosts that lack the object do not count unless all do. What all of them say is said once.
Error mergedError(const std::vector<HostAnswer>& answers);

}  // namespace flotilla::gateway
