#include "engine/volumes/volume_request.h"

#include <algorithm>

namespace flotilla::engine {
namespace {

constexpr std::size_t kMaxName = 255;  // a directory's name

bool isAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

Result<void> checkOptions(const VolumeRequest& request) {
  const auto refuse = [&](const std::string& reason) {
    return Error{ErrorKind::InvalidArgument, "create " + request.name + ": " + reason};
  };
  for (const auto& [name, value] : request.options) {
    if (name != "type" && name != "device" && name != "o" && name != "size") {
      return refuse("invalid option: \"" + name + "\"");
    }
  }
  if (request.options.contains("type") && !request.options.contains("device")) {
    return refuse("missing required option: \"device\"");
  }
  if (request.options.contains("device") && !request.options.contains("type")) {
    return refuse("missing required option: \"type\"");
  }
  if (!request.options.empty()) {
    const auto& [name, value] = *request.options.begin();
    return refuse("DriverOpts: option \"" + name + "\" with value \"" + value +
                  "\" is not supported yet");
  }
  return {};
}

}  // namespace

bool isVolumeName(std::string_view name) {
  return name.size() >= 2 && name.size() <= kMaxName && isAlphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return isAlphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Result<void> checkVolumeRequest(const VolumeRequest& request) {
  const auto refuse = [&](ErrorKind kind, const std::string& reason) {
    return Error{kind, "create " + request.name + ": " + reason};
  };
  if (!request.driver.empty() && request.driver != "local") {
    return refuse(ErrorKind::NotFound, "error looking up volume plugin " + request.driver +
                                           ": plugin \"" + request.driver + "\" not found");
  }
  if (!request.name.empty() && !isVolumeName(request.name)) {
    if (request.name.size() < 2) {
      return refuse(
          ErrorKind::InvalidArgument,
          "volume name is too short, names should be at least two alphanumeric characters");
    }
    if (request.name.size() > kMaxName) {
      return refuse(ErrorKind::InvalidArgument, "file name too long");
    }
    return refuse(ErrorKind::InvalidArgument,
                  "\"" + request.name +
                      "\" includes invalid characters for a local volume name, only " +
                      "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host "
                      "directory, use absolute path");
  }
  return checkOptions(request);
}

}  // namespace flotilla::engine
