#include "common/model/container_fields.h"
#include "common/model/go_json.h"
#include "common/model/unsupported_fields.h"

namespace flotilla::model {
namespace {

constexpr ApiVersion kFirstWithConsoleSize{1, 42};
constexpr ApiVersion kFirstWithCreateMountpoint{1, 42};

Error notAnObject(const nlohmann::json& document, const std::string& go_type) {
  return Error(ErrorKind::InvalidArgument, "invalid JSON: json: cannot unmarshal " +
                                               std::string(goKind(document)) +
                                               " into Go value of type " + go_type);
}

/// Calls `fn` with each element of object member or list `name`, where it is one.
template <class Fn>
Result<void> forEachIn(const nlohmann::json& object, std::string_view name, Fn fn) {
  const nlohmann::json* list = WireReader::find(object, name);
  if (list == nullptr || !list->is_structured()) {
    return {};
  }
  for (const nlohmann::json& item : *list) {
    FLO_TRY(fn(item));
  }
  return {};
}

Result<void> refuseUnsupportedInRequest(const nlohmann::json& body) {
  FLO_TRY(refuseUnsupported(body, "Config"));
  if (const nlohmann::json* host = WireReader::find(body, "HostConfig")) {
    FLO_TRY(refuseUnsupported(*host, "HostConfig"));
    FLO_TRY(forEachIn(*host, "Mounts",
                      [](const auto& mount) { return refuseUnsupported(mount, "Mount"); }));
  }
  if (const nlohmann::json* networking = WireReader::find(body, "NetworkingConfig")) {
    FLO_TRY(forEachIn(*networking, "EndpointsConfig", [](const auto& endpoint) {
      return refuseUnsupported(endpoint, "Endpoint");
    }));
  }
  return {};
}

/// True when the body has any member of Config or an image: dockerd's "config cannot be empty".
bool hasConfig(const nlohmann::json& body) {
  if (!body.is_object()) {
    return false;
  }
  for (const auto& [key, value] : body.items()) {
    if (key != "HostConfig" && key != "NetworkingConfig" && !value.is_null()) {
      return true;
    }
  }
  return false;
}

void adaptToVersion(CreateRequest& request, ApiVersion version) {
  if (version < kFirstWithConsoleSize) {  // older clients sent it, older engines ignored it
    request.host.console_height = request.host.console_width = 0;
  }
  if (version < kFirstWithCreateMountpoint) {
    for (Mount& mount : request.host.mounts) {
      mount.create_mountpoint = false;
    }
  }
  if (request.host.memory_swappiness == -1) {  // "leave it", as the CLI always sends
    request.host.memory_swappiness.reset();
  }
}

}  // namespace

void readConsoleSize(WireReader& reader, unsigned& height, unsigned& width) {
  std::vector<unsigned> size;
  reader("ConsoleSize", size, "[2]uint");
  size.resize(2);
  height = size[0];
  width = size[1];
}

Result<CreateRequest> decodeCreateRequest(const std::string& body, ApiVersion version) {
  FLO_TRY_ASSIGN(const nlohmann::json document, parseBody(body));
  if (!document.is_object() && !document.is_null()) {
    return notAnObject(document, "container.CreateRequest");
  }
  CreateRequest request;
  WireReader reader(document);
  describe(reader, request.config);
  reader.nested("HostConfig", "container.HostConfig", [&] { describe(reader, request.host); });
  reader.nested("NetworkingConfig", "network.NetworkingConfig", [&] {
    reader("EndpointsConfig", request.endpoints,
           "map[string]*network.EndpointSettings|network.EndpointSettings");
  });
  if (reader.error()) {
    return *reader.error();
  }
  if (!hasConfig(document)) {
    return Error(ErrorKind::InvalidArgument,
                 "config cannot be empty in order to create a container");
  }
  FLO_TRY(refuseUnsupportedInRequest(document));
  adaptToVersion(request, version);
  return request;
}

Result<ExecConfig> decodeExecConfig(const std::string& body, ApiVersion version) {
  ExecConfig exec;
  if (!body.empty()) {
    FLO_TRY_ASSIGN(const nlohmann::json document, parseBody(body));
    if (!document.is_object() && !document.is_null()) {
      return notAnObject(document, "container.ExecOptions");
    }
    WireReader reader(document, "ExecOptions");
    describe(reader, exec);
    if (reader.error()) {
      return *reader.error();
    }
  }
  if (exec.cmd.empty()) {
    return Error(ErrorKind::InvalidArgument, "No exec command specified");
  }
  if (version < kFirstWithConsoleSize) {
    exec.console_height = exec.console_width = 0;
  }
  return exec;
}

}  // namespace flotilla::model
