#include "common/model/unsupported_fields.h"

#include <algorithm>
#include <array>
#include <string>

#include "common/model/wire_archive.h"

namespace flotilla::model {
namespace {

struct UnsupportedField {
  std::string_view scope;
  std::string_view path;            // member, or member.member
  std::string_view also_neutral{};  // a JSON text, besides the values that are always neutral
};

// What the contract has and we do not honour. A field that gets honoured leaves this table and
// joins container_fields.h. Members that mean nothing on a Linux engine and that dockerd itself
// ignores (CpuCount...) stay listed: asking for them is a mistake worth an answer.
constexpr std::array kUnsupported = {
    UnsupportedField{"Config", "Healthcheck.Test", R"(["NONE"])"},
    UnsupportedField{"Config", "Healthcheck.Interval"},
    UnsupportedField{"Config", "Healthcheck.Timeout"},
    UnsupportedField{"Config", "Healthcheck.Retries"},
    UnsupportedField{"Config", "Healthcheck.StartPeriod"},
    UnsupportedField{"Config", "Healthcheck.StartInterval"},
    UnsupportedField{"Config", "NetworkDisabled"},
    UnsupportedField{"Config", "OnBuild"},
    UnsupportedField{"Config", "Shell"},
    UnsupportedField{"HostConfig", "BlkioWeight"},
    UnsupportedField{"HostConfig", "BlkioWeightDevice"},
    UnsupportedField{"HostConfig", "BlkioDeviceReadBps"},
    UnsupportedField{"HostConfig", "BlkioDeviceWriteBps"},
    UnsupportedField{"HostConfig", "BlkioDeviceReadIOps"},
    UnsupportedField{"HostConfig", "BlkioDeviceWriteIOps"},
    UnsupportedField{"HostConfig", "CpuRealtimePeriod"},
    UnsupportedField{"HostConfig", "CpuRealtimeRuntime"},
    UnsupportedField{"HostConfig", "DeviceRequests"},
    UnsupportedField{"HostConfig", "KernelMemory", "-1"},
    UnsupportedField{"HostConfig", "KernelMemoryTCP", "-1"},
    UnsupportedField{"HostConfig", "CpuCount"},
    UnsupportedField{"HostConfig", "CpuPercent"},
    UnsupportedField{"HostConfig", "IOMaximumIOps"},
    UnsupportedField{"HostConfig", "IOMaximumBandwidth"},
    UnsupportedField{"HostConfig", "VolumeDriver", R"("local")"},
    UnsupportedField{"HostConfig", "Cgroup"},
    UnsupportedField{"HostConfig", "Links"},
    UnsupportedField{"HostConfig", "StorageOpt"},
    UnsupportedField{"Mount", "BindOptions.NonRecursive"},
    UnsupportedField{"Mount", "BindOptions.ReadOnlyNonRecursive"},
    UnsupportedField{"Mount", "BindOptions.ReadOnlyForceRecursive"},
    UnsupportedField{"Mount", "VolumeOptions.Subpath"},
    UnsupportedField{"Mount", "VolumeOptions.DriverConfig.Name", R"("local")"},
    UnsupportedField{"Mount", "VolumeOptions.DriverConfig.Options"},
    UnsupportedField{"Mount", "ImageOptions.Subpath"},
    UnsupportedField{"Mount", "ClusterOptions"},
    UnsupportedField{"Mount", "TmpfsOptions.Options"},
    UnsupportedField{"Endpoint", "IPAMConfig.IPv6Address"},
    UnsupportedField{"Endpoint", "IPAMConfig.LinkLocalIPs"},
    UnsupportedField{"Endpoint", "DriverOpts"},
    UnsupportedField{"Endpoint", "GwPriority"},
};

bool isNeutral(const nlohmann::json& value) {
  switch (value.type()) {
    case nlohmann::json::value_t::null:
      return true;
    case nlohmann::json::value_t::boolean:
      return !value.get<bool>();
    case nlohmann::json::value_t::string:
      return value.get_ref<const std::string&>().empty();
    case nlohmann::json::value_t::array:
    case nlohmann::json::value_t::object:
      return value.empty();
    default:
      return value == 0;
  }
}

const nlohmann::json* findPath(const nlohmann::json& object, std::string_view path) {
  const nlohmann::json* value = &object;
  while (value != nullptr && !path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    value = WireReader::find(*value, path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return value;
}

bool isAlsoNeutral(const nlohmann::json& value, std::string_view text) {
  return !text.empty() && value == nlohmann::json::parse(text, nullptr, false);
}

}  // namespace

Result<void> refuseUnsupported(const nlohmann::json& object, std::string_view scope) {
  for (const UnsupportedField& field : kUnsupported) {
    if (field.scope != scope) {
      continue;
    }
    const nlohmann::json* value = findPath(object, field.path);
    if (value == nullptr || isNeutral(*value) || isAlsoNeutral(*value, field.also_neutral)) {
      continue;
    }
    return Error(
        ErrorKind::InvalidArgument,
        std::string(scope) + "." + std::string(field.path) + ": value " +
            value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).substr(0, 200) +
            " is not supported by this engine");
  }
  return {};
}

}  // namespace flotilla::model
