#include "common/model/container_fields.h"

namespace flotilla::model {
namespace {

template <class T>
std::string encode(const T& value) {
  WireWriter writer;
  T copy = value;  // describe() takes its object by reference, for the reader's sake
  describe(writer, copy);
  // Environment variables may be any bytes: what is not UTF-8 becomes U+FFFD instead of an
  // exception.
  return writer.take().dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

template <class T>
Result<T> parse(const std::string& text) {
  const nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) {
    return Error(ErrorKind::Internal, "stored configuration is not a JSON object");
  }
  T value;
  WireReader reader(document);
  describe(reader, value);
  if (reader.error()) {
    return Error(ErrorKind::Internal, "stored configuration: " + reader.error()->message());
  }
  return value;
}

}  // namespace

std::string encodeConfig(const ContainerConfig& config) { return encode(config); }
std::string encodeHostConfig(const HostConfig& host) { return encode(host); }
Result<ContainerConfig> parseConfig(const std::string& json) {
  return parse<ContainerConfig>(json);
}
Result<HostConfig> parseHostConfig(const std::string& json) { return parse<HostConfig>(json); }

}  // namespace flotilla::model
