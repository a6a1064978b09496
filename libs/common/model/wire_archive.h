#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "common/error/error.h"

/// Two archives over one table of members (container_fields.h): WireReader fills structs from a
/// JSON document as Go's encoding/json would, WireWriter makes the document from structs. Internal
/// to common/model: nothing outside includes JSON to learn what a request says.
namespace flotilla::model {

/// A member that Docker accepts as a string or a list of strings (Cmd, Entrypoint, CapAdd...).
template <class Field>
struct StringOrList {
  Field& field;
};
template <class Field>
StringOrList<Field> stringOrList(Field& field) {
  return {field};
}

/// What Go's decoder calls the type of a JSON value in its messages.
std::string_view goKind(const nlohmann::json& value);

/// A JSON object of which only the keys matter: ExposedPorts, Volumes.
struct KeySet {
  std::vector<std::string>& keys;
};

/// Reads one document. Member names compare without case, null leaves a field alone, unknown
/// members are passed over, and the first value of a wrong type is remembered in Go's words while
/// reading goes on.
class WireReader {
 public:
  /// `root` is what Go calls the outermost struct in its messages.
  explicit WireReader(const nlohmann::json& document, std::string root = {})
      : here_(&document), path_(std::move(root)) {}

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void fail(Error error) {
    if (!error_) {
      error_ = std::move(error);
    }
  }

  template <class T>
  void operator()(std::string_view name, T& field, std::string_view go_type = {}) {
    if (const nlohmann::json* value = find(*here_, name); value != nullptr && !value->is_null()) {
      const Step step(*this, name);
      read(*value, field, go_type);
    }
  }
  template <class Field>
  void operator()(std::string_view name, StringOrList<Field> list) {
    if (const nlohmann::json* value = find(*here_, name); value != nullptr && !value->is_null()) {
      readStringOrList(*value, list.field);
    }
  }
  void operator()(std::string_view name, KeySet set, std::string_view go_type);

  /// Enters object member `name` and calls `body` there, if it is there.
  template <class Body>
  void nested(std::string_view name, std::string_view go_type, Body body) {
    if (const nlohmann::json* value = find(*here_, name); value != nullptr && !value->is_null()) {
      const Step step(*this, name);
      inObject(*value, go_type, body);
    }
  }

  /// Member of `object` under that name in any case; nullptr when absent.
  static const nlohmann::json* find(const nlohmann::json& object, std::string_view name);
  [[nodiscard]] const nlohmann::json& here() const { return *here_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  class Step {
   public:
    Step(WireReader& reader, std::string_view name);
    Step(WireReader& reader, std::size_t index);
    ~Step() {
      reader_.path_.resize(size_);
      reader_.in_list_ = in_list_;
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    WireReader& reader_;
    std::size_t size_;
    bool in_list_;
  };

  void mismatch(std::string_view what, std::string_view go_type);
  void typeError(const nlohmann::json& value, std::string_view go_type);
  void stringError(const nlohmann::json& value);

  void read(const nlohmann::json& value, std::string& field, std::string_view go_type);
  void read(const nlohmann::json& value, bool& field, std::string_view go_type);
  template <class T>
  requires std::is_integral_v<T>
  void read(const nlohmann::json& value, T& field, std::string_view go_type) {
    std::int64_t number = 0;
    if (readInteger(value, number, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                    go_type.empty() ? (sizeof(T) == 8 ? "int64" : "int") : go_type)) {
      field = static_cast<T>(number);
    }
  }
  bool readInteger(const nlohmann::json& value, std::int64_t& number, std::int64_t low,
                   std::int64_t high, std::string_view go_type);
  template <class T>
  void read(const nlohmann::json& value, std::optional<T>& field, std::string_view go_type) {
    T inner{};
    read(value, inner, go_type);
    field = std::move(inner);
  }
  template <class T>
  void read(const nlohmann::json& value, std::vector<T>& field, std::string_view go_type) {
    if (!value.is_array()) {
      typeError(value, go_type.empty() ? "[]string" : go_type);
      return;
    }
    field.clear();
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Step step(*this, i);
      T item{};
      if (!value[i].is_null()) {
        read(value[i], item, typeOfItems(go_type));
      }
      field.push_back(std::move(item));
    }
  }
  template <class T>
  void read(const nlohmann::json& value, std::map<std::string, T>& field,
            std::string_view go_type) {
    if (!value.is_object()) {
      typeError(value,
                go_type.empty() ? "map[string]string" : go_type.substr(0, go_type.find('|')));
      return;
    }
    for (const auto& [key, inner] : value.items()) {
      const Step step(*this, key);
      T item{};
      if (!inner.is_null()) {
        read(inner, item, typeOfValues(go_type));
      }
      field[key] = std::move(item);
    }
  }
  template <class T>
  requires requires(WireReader& reader, T& item) { describe(reader, item); }
  void read(const nlohmann::json& value, T& field, std::string_view go_type) {
    inObject(value, go_type, [&] { describe(*this, field); });
  }

  template <class Body>
  void inObject(const nlohmann::json& value, std::string_view go_type, Body body) {
    if (!value.is_object()) {
      typeError(value, go_type.empty() ? "object" : go_type);
      return;
    }
    const nlohmann::json* outer = here_;
    here_ = &value;
    body();
    here_ = outer;
  }

  template <class Field>
  void readStringOrList(const nlohmann::json& value, Field& field) {
    std::vector<std::string> list;
    if (value.is_string()) {
      list.push_back(value.template get<std::string>());
    } else if (value.is_array()) {
      for (const auto& item : value) {
        if (item.is_string()) {
          list.push_back(item.template get<std::string>());
        } else if (!item.is_null()) {
          stringError(value);
          return;
        } else {
          list.emplace_back();
        }
      }
    } else {
      stringError(value);
      return;
    }
    field = std::move(list);
  }

  /// "<name of the map type>|T" -> "T".
  static std::string_view typeOfValues(std::string_view go_type);
  /// "[]T" and "[]*T" -> "T".
  static std::string_view typeOfItems(std::string_view go_type);

  const nlohmann::json* here_;
  std::string path_;      // ".HostConfig.Memory"
  bool in_list_ = false;  // the last step was into a list
  std::optional<Error> error_;
};

/// Makes the JSON object of whatever is described to it; absent optionals become null.
class WireWriter {
 public:
  template <class T>
  void operator()(std::string_view name, const T& field, std::string_view = {}) {
    out_[std::string(name)] = value(field);
  }
  template <class Field>
  void operator()(std::string_view name, StringOrList<Field> list) {
    out_[std::string(name)] = value(list.field);
  }
  void operator()(std::string_view name, KeySet set, std::string_view) {
    nlohmann::json object = nlohmann::json::object();
    for (const std::string& key : set.keys) {
      object[key] = nlohmann::json::object();
    }
    out_[std::string(name)] = std::move(object);
  }
  template <class Body>
  void nested(std::string_view name, std::string_view, Body body) {
    nlohmann::json outer = std::move(out_);
    out_ = nlohmann::json::object();
    body();
    outer[std::string(name)] = std::move(out_);
    out_ = std::move(outer);
  }
  nlohmann::json take() { return std::move(out_); }

 private:
  template <class T>
  requires(std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) static nlohmann::json
      value(const T& field) {
    return field;
  }
  template <class T>
  static nlohmann::json value(const std::optional<T>& field) {
    return field ? value(*field) : nlohmann::json(nullptr);
  }
  template <class T>
  static nlohmann::json value(const std::vector<T>& field) {
    nlohmann::json list = nlohmann::json::array();
    for (const T& item : field) {
      list.push_back(value(item));
    }
    return list;
  }
  template <class T>
  static nlohmann::json value(const std::map<std::string, T>& field) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, item] : field) {
      object[key] = value(item);
    }
    return object;
  }
  template <class T>
  requires requires(WireWriter& writer, T& item) { describe(writer, item); }
  static nlohmann::json value(const T& field) {
    WireWriter writer;
    // describe() takes its object by reference for the reader's sake; a writer only looks.
    describe(writer, const_cast<T&>(field));
    return writer.take();
  }

  nlohmann::json out_ = nlohmann::json::object();
};

}  // namespace flotilla::model
