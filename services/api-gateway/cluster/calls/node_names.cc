#include "api-gateway/cluster/calls/node_names.h"

#include <algorithm>
#include <optional>
#include <set>

#include "common/json/json.h"

namespace flotilla::gateway {
namespace {

/// Patterns of node names are short; longer ones are no names.
constexpr std::size_t kLongestPattern = 128;

/// The pattern with `*` and `?` that matches whole names. Swarm classic's were regular expressions,
/// whose time nobody bounds: what of them people use for names is understood, the rest is refused.
Result<std::string> wholePattern(std::string pattern) {
  const Error refusal{ErrorKind::InvalidArgument,
                      "invalid filter 'node=" + pattern + "': not a name with * and ?"};
  const bool from_start = pattern.starts_with('^');
  pattern.erase(0, from_start ? 1 : 0);
  const bool to_end = pattern.ends_with('$');
  pattern.erase(pattern.size() - (to_end ? 1 : 0));
  if (pattern.size() > kLongestPattern || pattern.find_first_of("^$()[]{}|+\\") != pattern.npos) {
    return refusal;
  }
  for (std::size_t any = 0; (any = pattern.find(".*", any)) != std::string::npos;) {
    pattern.erase(any, 1);
  }
  return (from_start ? "" : "*") + pattern + (to_end ? "" : "*");
}

/// In time of pattern by name: only the last `*` is ever tried again.
bool matches(std::string_view name, std::string_view pattern) {
  std::size_t at = 0, in = 0;
  std::optional<std::size_t> star;  // position behind the last one
  std::size_t taken = 0;            // up to here by that
  while (at < name.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = ++in;
      taken = at;
    } else if (in < pattern.size() && (pattern[in] == '?' || pattern[in] == name[at])) {
      ++in;
      ++at;
    } else if (star) {
      in = *star;
      at = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in) == std::string_view::npos;
}

}  // namespace

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
  std::vector<std::string> patterns;
  for (std::string& value : filterValues((*filters)["node"])) {
    FLO_TRY_ASSIGN(std::string pattern, wholePattern(std::move(value)));
    patterns.push_back(std::move(pattern));
  }
  std::erase_if(hosts, [&](const HostPtr& host) {
    return std::ranges::none_of(
        patterns, [&](const std::string& pattern) { return matches(host->name(), pattern); });
  });
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
