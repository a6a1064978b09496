#include "engine/runtime/devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

namespace flotilla::engine {
namespace {

constexpr std::array<std::string_view, 6> kSkippedDirectories = {"pts",    "shm",  "fd",
                                                                 "mqueue", ".lxc", ".lxd-mounts"};
constexpr int kMaxDepth = 16;

std::optional<DeviceNode> nodeOf(const std::string& path, const struct stat& info) {
  if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)) {
    return std::nullopt;
  }
  return DeviceNode{path,
                    S_ISBLK(info.st_mode) ? 'b' : 'c',
                    static_cast<std::int64_t>(major(info.st_rdev)),
                    static_cast<std::int64_t>(minor(info.st_rdev)),
                    info.st_mode & 07777U,
                    info.st_uid,
                    info.st_gid};
}

void collect(const std::string& directory, int depth, std::vector<DeviceNode>& found) {
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(directory.c_str()), closedir);
  if (!dir || depth > kMaxDepth) {
    return;
  }
  while (const dirent* entry = readdir(dir.get())) {  // NOLINT(concurrency-mt-unsafe): own stream
    const std::string_view name = static_cast<const char*>(entry->d_name);
    const std::string path = directory + "/" + std::string(name);
    struct stat info {};
    if (name == "." || name == ".." ||
        fstatat(dirfd(dir.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    if (S_ISDIR(info.st_mode)) {
      if (std::find(kSkippedDirectories.begin(), kSkippedDirectories.end(), name) ==
          kSkippedDirectories.end()) {
        collect(path, depth + 1, found);
      }
    } else if (auto node = nodeOf(path, info); node && name != "console") {
      found.push_back(std::move(*node));
    }
  }
}

Error gathering(const std::string& path, const std::string& why) {
  return Error(
      ErrorKind::InvalidArgument,
      "error gathering device information while adding custom device \"" + path + "\": " + why);
}

}  // namespace

Result<DeviceNode> statDevice(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    return gathering(
        path, errno == ENOENT ? "no such file or directory" : sysError("stat", errno).message());
  }
  if (auto node = nodeOf(path, info)) {
    return *node;
  }
  return gathering(path, "not a device node");
}

Result<std::vector<DeviceNode>> devicesUnder(const std::string& path) {
  std::vector<DeviceNode> found;
  collect(path, 0, found);
  if (found.empty()) {
    return gathering(path, "not a device node");
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

std::vector<DeviceNode> hostDevices() {
  std::vector<DeviceNode> found;
  collect("/dev", 0, found);
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return found;
}

}  // namespace flotilla::engine
