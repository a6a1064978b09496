#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace flotilla::gateway {

/// JSON whose members keep their order, which is what people see.
using Document = nlohmann::ordered_json;

inline constexpr std::int64_t kNano = 1'000'000'000;  // in a second, in a CPU

/// One line; bytes that are not UTF-8 become U+FFFD.
inline std::string dumped(const Document& document) {
  return document.dump(-1, ' ', false, Document::error_handler_t::replace);
}

// Readers for documents that were checked elsewhere: what is absent, or of another type, is empty.

template <class Json>
const Json& memberOf(const Json& object, const char* key) {
  static const Json kNone;
  if (!object.is_object()) {
    return kNone;
  }
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

template <class Json>
std::string textOf(const Json& object, const char* key) {
  const Json& value = memberOf(object, key);
  return value.is_string() ? value.template get<std::string>() : "";
}

template <class Json>
std::int64_t numberOf(const Json& object, const char* key) {
  const Json& value = memberOf(object, key);
  return value.is_number() ? value.template get<std::int64_t>() : 0;
}

}  // namespace flotilla::gateway
