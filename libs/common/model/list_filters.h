#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/error/result.h"

namespace flotilla::model {

/// Filter names with their values, as GET requests carry them in `filters`.
using ListFilters = std::vector<std::pair<std::string, std::vector<std::string>>>;

/// {"name":["a"]} and the older {"name":{"a":true}}. "" has no filters.
/// Errors: InvalidArgument "invalid filter".
Result<ListFilters> parseListFilters(std::string_view text);

/// A label filter's value, "key" or "key=value", against labels.
template <class Labels>
bool matchesLabel(const Labels& labels, const std::string& filter) {
  const auto equals = filter.find('=');
  const auto found = labels.find(filter.substr(0, equals));
  return found != labels.end() &&
         (equals == std::string::npos || found->second == filter.substr(equals + 1));
}

}  // namespace flotilla::model
