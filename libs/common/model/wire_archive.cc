#include "common/model/wire_archive.h"

#include <strings.h>

#include <algorithm>
#include <cmath>

namespace flotilla::model {
namespace {

bool equalsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

std::string_view goKind(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::object:
      return "object";
    case nlohmann::json::value_t::array:
      return "array";
    case nlohmann::json::value_t::string:
      return "string";
    case nlohmann::json::value_t::boolean:
      return "bool";
    default:
      return "number";
  }
}

const nlohmann::json* WireReader::find(const nlohmann::json& object, std::string_view name) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto& members = object.get_ref<const nlohmann::json::object_t&>();
  if (const auto exact = members.find(std::string(name)); exact != members.end()) {
    return &exact->second;
  }
  for (const auto& [key, value] : members) {
    if (equalsIgnoringCase(key, name)) {
      return &value;
    }
  }
  return nullptr;
}

WireReader::Step::Step(WireReader& reader, std::string_view name)
    : reader_(reader), size_(reader.path_.size()), in_list_(reader.in_list_) {
  reader_.in_list_ = false;
  reader_.path_ += '.';
  for (const char c : name) {  // dockerd shows a JSON pointer with dots for slashes
    if (c == '/') {
      reader_.path_ += "~1";
    } else if (c == '~') {
      reader_.path_ += "~0";
    } else {
      reader_.path_ += c;
    }
  }
}

WireReader::Step::Step(WireReader& reader, std::size_t index)
    : Step(reader, std::to_string(index)) {
  reader_.in_list_ = true;
}

void WireReader::mismatch(std::string_view what, std::string_view go_type) {
  fail(Error(ErrorKind::InvalidArgument, "invalid JSON: json: cannot unmarshal " +
                                             std::string(what) + " into " +
                                             (in_list_ ? "" : "Go struct field ") + path_ +
                                             " of type " + std::string(go_type)));
}

void WireReader::typeError(const nlohmann::json& value, std::string_view go_type) {
  mismatch(goKind(value), go_type);
}

void WireReader::stringError(const nlohmann::json& value) {
  fail(Error(ErrorKind::InvalidArgument, "invalid JSON: json: cannot unmarshal " +
                                             std::string(goKind(value)) +
                                             " into Go value of type string"));
}

void WireReader::read(const nlohmann::json& value, std::string& field, std::string_view go_type) {
  if (!value.is_string()) {
    typeError(value, go_type.empty() ? "string" : go_type);
    return;
  }
  field = value.get<std::string>();
}

void WireReader::read(const nlohmann::json& value, bool& field, std::string_view) {
  if (!value.is_boolean()) {
    typeError(value, "bool");
    return;
  }
  field = value.get<bool>();
}

bool WireReader::readInteger(const nlohmann::json& value, std::int64_t& number, std::int64_t low,
                             std::int64_t high, std::string_view go_type) {
  if (!value.is_number()) {
    typeError(value, go_type);
    return false;
  }
  const bool huge = value.is_number_unsigned() &&
                    value.get<std::uint64_t>() >
                        static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (value.is_number_integer() && !huge) {
    number = value.get<std::int64_t>();
    if (number >= low && number <= high) {
      return true;
    }
  }
  mismatch("number " + value.dump(), go_type);
  return false;
}

void WireReader::operator()(std::string_view name, KeySet set, std::string_view go_type) {
  const nlohmann::json* value = find(*here_, name);
  if (value == nullptr || value->is_null()) {
    return;
  }
  const Step step(*this, name);
  if (!value->is_object()) {
    typeError(*value, go_type);
    return;
  }
  set.keys.clear();
  for (const auto& [key, inner] : value->items()) {
    const Step inner_step(*this, key);
    if (!inner.is_object() && !inner.is_null()) {
      typeError(inner, "struct {}");
      return;
    }
    set.keys.push_back(key);
  }
}

std::string_view WireReader::typeOfValues(std::string_view go_type) {
  const std::size_t bar = go_type.find('|');
  return bar == std::string_view::npos ? std::string_view{} : go_type.substr(bar + 1);
}

std::string_view WireReader::typeOfItems(std::string_view go_type) {
  const std::size_t bracket = go_type.find(']');
  go_type.remove_prefix(bracket == std::string_view::npos ? go_type.size() : bracket + 1);
  if (go_type.starts_with('*')) {
    go_type.remove_prefix(1);
  }
  return go_type;
}

}  // namespace flotilla::model
