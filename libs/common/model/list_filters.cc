#include "common/model/list_filters.h"

#include "common/json/json.h"

namespace flotilla::model {
namespace {

/// False when the values are of another shape.
bool readValues(const json::Json& values, std::vector<std::string>& into) {
  if (values.is_array()) {
    for (const auto& value : values) {
      if (!value.is_string()) {
        return false;
      }
      into.push_back(value.get<std::string>());
    }
    return true;
  }
  if (!values.is_object()) {
    return values.is_null();
  }
  for (const auto& [value, wanted] : values.items()) {
    if (!wanted.is_boolean()) {
      return false;
    }
    if (wanted.get<bool>()) {
      into.push_back(value);
    }
  }
  return true;
}

}  // namespace

Result<ListFilters> parseListFilters(std::string_view text) {
  ListFilters filters;
  if (text.empty()) {
    return filters;
  }
  const auto document = json::parse(text);
  if (!document || !document->is_object()) {
    return Error{ErrorKind::InvalidArgument, "invalid filter"};
  }
  for (const auto& [name, values] : document->items()) {
    auto& filter = filters.emplace_back(name, std::vector<std::string>{});
    if (!readValues(values, filter.second)) {
      return Error{ErrorKind::InvalidArgument, "invalid filter"};
    }
  }
  return filters;
}

}  // namespace flotilla::model
