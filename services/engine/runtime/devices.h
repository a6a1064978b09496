#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/error/result.h"

namespace flotilla::engine {

/// A device node of the host.
struct DeviceNode {
  std::string path;
  char type = 'c';  // c or b
  std::int64_t major_number = 0, minor_number = 0;
  std::uint32_t mode = 0;  // permission bits
  std::uint32_t uid = 0, gid = 0;
};

/// Errors: InvalidArgument in dockerd's words when the path is missing or no device.
Result<DeviceNode> statDevice(const std::string& path);

/// The devices under a directory, recursively and sorted by path: what `--device /dev/snd` means.
/// Errors: InvalidArgument when there is none.
Result<std::vector<DeviceNode>> devicesUnder(const std::string& path);

/// Everything under /dev that a privileged container gets: no ptys, shm, mqueue, console or fds.
std::vector<DeviceNode> hostDevices();

}  // namespace flotilla::engine
