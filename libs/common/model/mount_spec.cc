#include "common/model/mount_spec.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "common/model/invalid.h"

namespace flotilla::model {
namespace {

constexpr std::array<std::string_view, 6> kPropagations = {"private", "rprivate", "shared",
                                                           "rshared", "slave",    "rslave"};

bool isPropagation(std::string_view word) {
  return std::find(kPropagations.begin(), kPropagations.end(), word) != kPropagations.end();
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.emplace_back(text.substr(0, end));
    if (end == text.size()) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

/// Options after the second colon: at most one of each group, none unknown.
Result<void> parseMode(const std::string& mode, MountPoint& mount) {
  int access = 0;
  int label = 0;
  int propagation = 0;
  int copy = 0;
  int consistency = 0;
  for (const std::string& option : split(mode, ',')) {
    if (option == "ro" || option == "rw") {
      mount.read_only = option == "ro";
      ++access;
    } else if (option == "z" || option == "Z") {
      ++label;  // SELinux labels: accepted and without effect, as on a dockerd without SELinux
    } else if (isPropagation(option)) {
      mount.propagation = option;
      ++propagation;
    } else if (option == "nocopy") {
      mount.copy = false;
      ++copy;
    } else if (option == "consistent" || option == "cached" || option == "delegated" ||
               option == "default") {
      ++consistency;
    } else {
      return invalid("invalid mode: " + mode);
    }
  }
  if (access > 1 || label > 1 || propagation > 1 || copy > 1 || consistency > 1) {
    return invalid("invalid mode: " + mode);
  }
  return {};
}

Result<void> checkTarget(const std::string& target) {
  if (target.empty()) {
    return invalid("field Target must not be empty");
  }
  if (target.front() != '/') {
    return invalid("invalid mount path: '" + target + "' mount path must be absolute");
  }
  if (cleanPath(target) == "/") {
    return invalid("invalid specification: destination can't be '/'");
  }
  return {};
}

Error invalidConfig(const std::string& type, const std::string& why) {
  return invalid("invalid mount config for type \"" + type + "\": " + why);
}

Result<void> checkMount(const Mount& mount) {
  if (mount.type.empty() || mount.type == "bind" || mount.type == "tmpfs" ||
      mount.type == "volume") {
    FLO_TRY(checkTarget(mount.target));
  }
  if (mount.type == "bind") {
    if (mount.source.empty()) {
      return invalid("field Source must not be empty");
    }
    if (mount.source.front() != '/') {
      return invalid("invalid mount path: '" + mount.source + "' mount path must be absolute");
    }
    if (!mount.propagation.empty() && !isPropagation(mount.propagation)) {
      return invalid("invalid propagation mode: " + mount.propagation);
    }
  } else if (mount.type == "tmpfs") {
    if (!mount.source.empty()) {
      return invalid("field Source must not be specified");
    }
  } else if (mount.type == "image") {
    return invalid("mount type not supported by this engine");
  } else if (mount.type != "volume") {
    return invalid("mount type unknown");
  }
  return {};
}

Result<void> checkPath(const std::string& what) {
  if (what.find('\0') != std::string::npos) {
    return invalid("invalid mount path: NUL byte in path");
  }
  return {};
}

/// With the largest unit that divides it, as dockerd writes tmpfs sizes.
std::string shortSize(std::int64_t bytes) {
  constexpr std::array<std::string_view, 4> kUnits = {"", "k", "m", "g"};
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && bytes % 1024 == 0) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes).append(kUnits[unit]);
}

std::vector<std::string> tmpfsOptionsOf(const Mount& mount) {
  std::vector<std::string> options;
  if (mount.tmpfs_mode != 0) {
    std::array<char, 16> octal{};
    (void)std::snprintf(octal.data(), octal.size(), "%o", mount.tmpfs_mode);
    options.push_back(std::string("mode=") + octal.data());
  }
  if (mount.tmpfs_size > 0) {
    options.push_back("size=" + shortSize(mount.tmpfs_size));
  }
  return options;
}

}  // namespace

std::string cleanPath(std::string_view path) {
  const bool absolute = path.starts_with('/');
  std::vector<std::string> kept;
  for (std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") {
      continue;
    }
    if (part == ".." && (absolute || !kept.empty()) && (kept.empty() || kept.back() != "..")) {
      if (!kept.empty()) {
        kept.pop_back();
      }
      continue;
    }
    kept.push_back(std::move(part));
  }
  std::string clean;
  for (const std::string& part : kept) {
    clean += clean.empty() && !absolute ? "" : "/";
    clean += part;
  }
  if (clean.empty()) {
    clean = absolute ? "/" : ".";
  }
  return clean;
}

Result<MountPoint> parseBind(std::string_view spec) {
  const std::string quoted = "invalid volume specification: '" + std::string(spec) + "'";
  const std::vector<std::string> parts = split(spec, ':');
  if (parts.size() > 3 || parts[0].empty() || (parts.size() == 2 && parts[1].empty())) {
    return invalid(quoted);
  }
  MountPoint mount;
  if (parts.size() == 1) {  // an anonymous volume, as in Config.Volumes
    mount.kind = MountPoint::Kind::Volume;
    FLO_TRY(checkTarget(parts[0]));
    mount.target = cleanPath(parts[0]);
    return mount;
  }
  if (parts.size() == 3 && !parts[2].empty()) {
    mount.mode = parts[2];
    FLO_TRY(parseMode(parts[2], mount));
  }
  const bool bind = parts[0].front() == '/';
  mount.kind = bind ? MountPoint::Kind::Bind : MountPoint::Kind::Volume;
  mount.create_source = bind;
  mount.source = bind ? cleanPath(parts[0]) : parts[0];
  auto fail = [&](const std::string& why) {
    return invalid(quoted + ": " + invalidConfig(bind ? "bind" : "volume", why).message());
  };
  if (auto target = checkTarget(parts[1]); !target) {
    return fail(target.error().message());
  }
  FLO_TRY(checkPath(std::string(spec)));
  if (bind && !mount.copy) {
    return fail("field VolumeOptions must not be specified");
  }
  if (!bind && !mount.propagation.empty()) {
    return fail("field BindOptions must not be specified");
  }
  mount.target = cleanPath(parts[1]);
  return mount;
}

Result<MountPoint> parseMount(const Mount& mount) {
  if (auto valid = checkMount(mount); !valid) {
    return invalidConfig(mount.type, valid.error().message());
  }
  FLO_TRY(checkPath(mount.source));
  FLO_TRY(checkPath(mount.target));
  MountPoint point;
  point.target = cleanPath(mount.target);
  point.read_only = mount.read_only;
  if (mount.type == "bind") {
    point.source = cleanPath(mount.source);
    point.propagation = mount.propagation;
    point.create_source = mount.create_mountpoint;
  } else if (mount.type == "volume") {
    point.kind = MountPoint::Kind::Volume;
    point.source = mount.source;
    point.copy = !mount.no_copy;
    point.labels = mount.volume_labels;
  } else {
    point.kind = MountPoint::Kind::Tmpfs;
    point.tmpfs_options = tmpfsOptionsOf(mount);
  }
  return point;
}

Result<MountPoint> parseTmpfs(const std::string& path, const std::string& options) {
  if (path.empty() || path.front() != '/') {
    return invalid("invalid mount path: '" + path + "' mount path must be absolute");
  }
  FLO_TRY(checkTarget(path));
  FLO_TRY(checkPath(path + options));
  MountPoint mount;
  mount.kind = MountPoint::Kind::Tmpfs;
  mount.target = cleanPath(path);
  for (std::string& option : split(options, ',')) {
    if (!option.empty()) {
      mount.tmpfs_options.push_back(std::move(option));
    }
  }
  return mount;
}

Result<VolumesFrom> parseVolumesFrom(const std::string& spec) {
  if (spec.empty()) {
    return invalid("volumes-from specification cannot be an empty string");
  }
  const std::size_t colon = std::min(spec.find(':'), spec.size());
  const std::string mode = spec.substr(std::min(colon + 1, spec.size()));
  MountPoint parsed;
  if (!mode.empty()) {
    FLO_TRY(parseMode(mode, parsed));
    if (!parsed.propagation.empty() || !parsed.copy) {  // the other container's are kept
      return invalid("invalid mode: " + mode);
    }
  }
  return VolumesFrom{spec.substr(0, colon), parsed.read_only};
}

Result<std::vector<MountPoint>> collectMounts(const ContainerConfig& config,
                                              const HostConfig& host) {
  std::vector<MountPoint> mounts;
  std::set<std::string> targets;
  auto add = [&](MountPoint mount, const std::string& as_given) -> Result<void> {
    if (!targets.insert(mount.target).second) {
      return invalid("Duplicate mount point: " + as_given);
    }
    mounts.push_back(std::move(mount));
    return {};
  };
  for (const std::string& bind : host.binds) {
    FLO_TRY_ASSIGN(MountPoint mount, parseBind(bind));
    FLO_TRY(add(mount, mount.target));
  }
  for (const Mount& asked : host.mounts) {
    FLO_TRY_ASSIGN(MountPoint mount, parseMount(asked));
    FLO_TRY(add(std::move(mount), asked.target));
  }
  for (const auto& [path, options] : host.tmpfs) {
    FLO_TRY_ASSIGN(MountPoint mount, parseTmpfs(path, options));
    // dockerd lets a tmpfs of --mount win over one of --tmpfs at the same place
    const auto same = std::find_if(mounts.begin(), mounts.end(), [&](const MountPoint& other) {
      return other.target == mount.target && other.kind == MountPoint::Kind::Tmpfs;
    });
    if (same == mounts.end()) {
      FLO_TRY(add(std::move(mount), path));
    }
  }
  for (const std::string& volume : config.volumes) {
    MountPoint mount;
    mount.kind = MountPoint::Kind::Volume;
    mount.yields = true;
    mount.target = cleanPath(volume);
    if (mount.target.front() == '/' && mount.target != "/" && targets.insert(mount.target).second) {
      mounts.push_back(std::move(mount));
    }
  }
  std::stable_sort(mounts.begin(), mounts.end(), [](const MountPoint& a, const MountPoint& b) {
    return std::count(a.target.begin(), a.target.end(), '/') <
           std::count(b.target.begin(), b.target.end(), '/');
  });
  return mounts;
}

}  // namespace flotilla::model
