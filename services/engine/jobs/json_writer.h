#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/json/json.h"

namespace flotilla::engine {

/// Documents count in seconds what records keep in nanoseconds.
inline constexpr std::int64_t kSecond = 1'000'000'000;

/// Writes one JSON document front to back, members in the order given (dockerd's order is what
/// people see). Balanced use is the caller's duty.
class JsonWriter {
 public:
  JsonWriter& beginObject() { return open('{'); }
  JsonWriter& endObject() { return close('}'); }
  JsonWriter& beginArray() { return open('['); }
  JsonWriter& endArray() { return close(']'); }

  JsonWriter& key(std::string_view name) {
    separate();
    json::appendQuoted(out_, name);
    out_ += ':';
    fresh_ = true;
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    separate();
    json::appendQuoted(out_, text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  JsonWriter& value(std::int64_t number) { return raw(std::to_string(number)); }
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(unsigned number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& null() { return raw("null"); }
  /// Text that is JSON already.
  JsonWriter& raw(std::string_view document) {
    separate();
    out_ += document;
    return *this;
  }
  JsonWriter& value(const std::vector<std::string>& list) {
    beginArray();
    for (const auto& item : list) {
      value(item);
    }
    return endArray();
  }

  template <class T>
  JsonWriter& member(std::string_view name, const T& what) {
    return key(name).value(what);
  }
  JsonWriter& nullMember(std::string_view name) { return key(name).null(); }
  /// null instead of an empty list: Go's nil slices.
  JsonWriter& listOrNull(std::string_view name, const std::vector<std::string>& list) {
    return list.empty() ? nullMember(name) : member(name, list);
  }
  template <class Map>
  JsonWriter& mapMember(std::string_view name, const Map& map) {
    key(name).beginObject();
    for (const auto& [entry, text] : map) {
      member(entry, text);
    }
    return endObject();
  }
  /// A set as Go writes map[string]struct{}.
  JsonWriter& setMember(std::string_view name, const std::vector<std::string>& set) {
    key(name).beginObject();
    for (const auto& entry : set) {
      key(entry).raw("{}");
    }
    return endObject();
  }

  [[nodiscard]] const std::string& text() const { return out_; }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    fresh_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    fresh_ = false;
    return *this;
  }
  void separate() {
    if (!fresh_) {
      out_ += ',';
    }
    fresh_ = false;
  }

  std::string out_;
  bool fresh_ = true;  // nothing to separate from yet
};

}  // namespace flotilla::engine
