#include "api-gateway/cluster/calls/node_names.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <set>

#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

/// Values of one filter in either form: {"node":["a"]} or {"node":{"a":true}}.
std::vector<std::string> filterValues(const json::Json& filter) {
  std::vector<std::string> values;
  if (filter.is_object()) {
    for (const auto& [value, on] : filter.items()) {
      values.push_back(value);
    }
  }
  if (filter.is_array()) {
    for (const auto& value : filter) {
      if (value.is_string()) {
        values.push_back(value.get<std::string>());
      }
    }
  }
  return values;
}

/// Patterns of node names are short; longer ones are no names.
constexpr std::size_t kLongestPattern = 128;

Result<bool> matches(const std::string& name, const std::string& pattern) {
  if (pattern.size() > kLongestPattern) {
    return Error{ErrorKind::InvalidArgument, "invalid filter 'node=" + pattern + "'"};
  }
  try {  // std::regex reports bad patterns by exception only
    return std::regex_search(name, std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return Error{ErrorKind::InvalidArgument, "invalid filter 'node=" + pattern + "'"};
  }
}

}  // namespace

NodeName splitNodeName(const Membership& membership, const std::string& reference) {
  const auto slash = reference.find('/');
  if (slash == std::string::npos || slash == 0) {
    return {nullptr, reference};
  }
  HostPtr host = membership.find(std::string_view(reference).substr(0, slash));
  return host ? NodeName{host, reference.substr(slash + 1)} : NodeName{nullptr, reference};
}

Result<void> applyNodeFilter(JobEnv& env, std::vector<HostPtr>& hosts) {
  const std::string text = env.get("filters");
  auto filters = json::parse(text.empty() ? "{}" : text);
  if (!filters || !filters->is_object() || !filters->contains("node")) {
    return {};  // what is wrong with filters the engines say
  }
  const auto patterns = filterValues((*filters)["node"]);
  std::vector<HostPtr> kept;
  for (const HostPtr& host : hosts) {
    for (const std::string& pattern : patterns) {
      FLO_TRY_ASSIGN(const bool match, matches(host->name(), pattern));
      if (match) {
        kept.push_back(host);
        break;
      }
    }
  }
  hosts = std::move(kept);
  filters->erase("node");
  env.set("filters", filters->empty() ? "" : json::dump(*filters));
  return {};
}

Error mergedError(const std::vector<HostAnswer>& answers) {
  std::optional<ErrorKind> kind;
  std::string text;
  std::set<std::string> said;
  for (const HostAnswer& answer : answers) {
    if (answer.result || answer.result.error().kind() == ErrorKind::NotFound) {
      continue;
    }
    kind = kind.value_or(isSilence(answer.result) ? ErrorKind::Unavailable
                                                  : answer.result.error().kind());
    text +=
        (text.empty() ? "" : "\n") + answer.host->name() + ": " + answer.result.error().message();
    said.insert(answer.result.error().message());
  }
  const auto failed = [](const HostAnswer& answer) { return !answer.result.has_value(); };
  if (said.size() == 1 && answers.size() > 1 && std::ranges::all_of(answers, failed)) {
    return Error{*kind, *said.begin()};
  }
  if (kind) {
    return Error{*kind, text};
  }
  for (const HostAnswer& answer : answers) {
    if (!answer.result) {
      return answer.result.error();
    }
  }
  return Error{ErrorKind::Internal, "no host answered"};
}

}  // namespace flotilla::gateway
