#include "common/json/json.h"

#include <algorithm>

namespace flotilla::json {
namespace {

// nlohmann's parser is recursive in its result's destructor only, but deep documents still cost a
// frame a level there and in dump(): the depth is checked before a tree is built.
bool tooDeep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) {
        return true;
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// Text that stands in JSON as it is: almost every name and value there is.
bool isPlain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
  });
}

Error wrongType(std::string_view key, std::string_view expected, const Json& value) {
  return Error{ErrorKind::InvalidArgument, "invalid JSON: member \"" + std::string(key) +
                                               "\" must be " + std::string(expected) + ", not " +
                                               value.type_name()};
}

const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) {
    return nullptr;
  }
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

Result<Json> parse(std::string_view text) {
  if (tooDeep(text)) {
    return Error{ErrorKind::InvalidArgument, "invalid JSON: nested too deeply"};
  }
  auto value = Json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded()) {
    return Error{ErrorKind::InvalidArgument, text.empty() ? "invalid JSON: unexpected end of input"
                                                          : "invalid JSON: syntax error"};
  }
  return value;
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string quote(std::string_view text) {
  std::string quoted;
  appendQuoted(quoted, text);
  return quoted;
}

void appendQuoted(std::string& out, std::string_view text) {
  if (!isPlain(text)) {
    out += dump(Json(text));
    return;
  }
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  out += text;
  out += '"';
}

Result<std::string> stringOr(const Json& object, std::string_view key, std::string fallback) {
  const Json* value = member(object, key);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_string()) {
    return wrongType(key, "a string", *value);
  }
  return value->get<std::string>();
}

Result<std::int64_t> integerOr(const Json& object, std::string_view key, std::int64_t fallback) {
  const Json* value = member(object, key);
  if (value == nullptr) {
    return fallback;
  }
  const bool too_large = value->is_number_unsigned() && value->get<std::uint64_t>() > INT64_MAX;
  if (!value->is_number_integer() || too_large) {
    return wrongType(key, "a 64-bit integer", *value);
  }
  return value->get<std::int64_t>();
}

Result<bool> boolOr(const Json& object, std::string_view key, bool fallback) {
  const Json* value = member(object, key);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_boolean()) {
    return wrongType(key, "true or false", *value);
  }
  return value->get<bool>();
}

}  // namespace flotilla::json
