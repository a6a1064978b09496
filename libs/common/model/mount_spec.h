#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/error/result.h"
#include "common/model/container.h"

namespace flotilla::model {

/// One mount a container asks for, whichever way it was spelled: Binds, Mounts, Volumes.
struct MountPoint {
  enum class Kind { Bind, Volume, Tmpfs } kind = Kind::Bind;
  std::string
      source;  // Bind: absolute host path; Volume: name, "" = a new anonymous one; Tmpfs: ""
  std::string target;  // absolute, cleaned
  bool read_only = false;
  bool create_source =
      false;            // Bind: make a missing source directory, as -v does and --mount does not
  bool copy = true;     // Volume: fill an empty one from the image
  bool yields = false;  // Volume of Config.Volumes: what VolumesFrom brings to its place wins
  std::string propagation;  // Bind: as given, "" = rprivate
  std::string mode;         // text after the second colon of a bind, for inspect ("ro,z")
  std::map<std::string, std::string> labels;  // Volume
  std::vector<std::string> tmpfs_options;     // Tmpfs: "size=1m", "mode=1777"...
};

/// "src:dst[:options]" of HostConfig.Binds. A source that is no absolute path is a volume's name.
/// Errors: InvalidArgument in dockerd's words ("invalid volume specification: '...'", "invalid
/// mode: x").
Result<MountPoint> parseBind(std::string_view spec);

/// One element of HostConfig.Mounts. Errors: InvalidArgument ("invalid mount config for type ...").
/// Whether a bind's source exists is not looked at.
Result<MountPoint> parseMount(const Mount& mount);

/// An element of HostConfig.VolumesFrom: whose mounts, and whether they become read-only. Errors:
/// InvalidArgument "invalid mode: x".
struct VolumesFrom {
  std::string container;
  bool read_only = false;
};
Result<VolumesFrom> parseVolumesFrom(const std::string& spec);

/// A HostConfig.Tmpfs entry, path and comma separated options. Errors: InvalidArgument.
Result<MountPoint> parseTmpfs(const std::string& path, const std::string& options);

/// All mounts of a request, in the order Docker places them: by number of path components of the
/// target. Anonymous volumes of Config.Volumes are included unless something else is mounted there.
/// Errors: InvalidArgument, also "Duplicate mount point: /x".
Result<std::vector<MountPoint>> collectMounts(const ContainerConfig& config,
                                              const HostConfig& host);

/// Lexically shortest form of a path ("/a//b/../c/" -> "/a/c"); "" -> ".".
std::string cleanPath(std::string_view path);

}  // namespace flotilla::model
